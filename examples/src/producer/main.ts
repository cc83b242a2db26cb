/**
 * A task that produces: from a Stream into a queue. What cannot be prepared fails by itself and does not stop the rest.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Connector, Decision, Memory, Task, Transaction } from "@ergon/core"
import { Sql, Sqlite } from "@ergon/sql"
import { Console, Effect, Layer, Schema, Stream } from "effect"

const Reading = Schema.Struct({ sensor: Schema.String, celsius: Schema.Number })

class Readings extends Connector.Queue<Readings>()("readings", Reading) {}
class DeadLines extends Connector.DeadLetters<DeadLines>()("dead-lines") {}
class NoReading extends Schema.TaggedError<NoReading>()("NoReading", { message: Schema.String }) {}

// Any Stream will do: of a file, of a socket, of the pages of an API.
const lines = Stream.make("kitchen 21.5", "cellar 12", "attic ?", "garden -3.5")

const readings = Task.producer(
  "readings",
  Stream.map(lines, (line) => Transaction.make(line, line)),
  Effect.fnUntraced(function*({ payload: line }) {
    const [sensor = "", celsius] = line.split(" ")
    if (Number.isNaN(Number(celsius))) return yield* new NoReading({ message: `"${line}" has no temperature` })
    return { sensor, celsius: Number(celsius) }
  })
).pipe(
  Task.dispatch(Readings, (line, reading) => Transaction.make(line.id, reading)),
  Task.deadLetter(DeadLines),
  Task.decide({ NoReading: Decision.deadLetter })
)

const layers = Layer.mergeAll(Sql.queue(Readings), Memory.deadLetters(DeadLines)).pipe(
  Layer.provide(Sqlite.layer({ filename: ":memory:" }))
)

const program = Effect.gen(function*() {
  yield* Task.run(readings)
  // The queue knows these ids by now: producing them once more changes nothing.
  const { fetched, succeeded } = yield* Task.run(readings)
  const { ready } = yield* Connector.count(Readings)
  const [letter] = yield* Memory.letters(DeadLines)
  yield* Console.log(`${fetched} lines, ${succeeded} of them readings; ${ready} in the queue after two runs`)
  yield* Console.log(letter?.reason)
})

program.pipe(Effect.provide(layers), NodeRuntime.runMain)

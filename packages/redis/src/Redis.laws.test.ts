import { Disposition, Transaction } from "@ergon/core"
import type { Delivery } from "@ergon/core"
import { Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Schema } from "effect"
import { fresh, open } from "./test/stream.ts"

const small = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Step = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("Enqueue"), count: small(1, 6) }),
  Schema.Struct({ _tag: Schema.Literal("Fetch"), max: small(1, 5) }),
  // Two fetches at once, and one that is interrupted after some turns.
  Schema.Struct({ _tag: Schema.Literal("Together"), max: small(1, 4) }),
  Schema.Struct({ _tag: Schema.Literal("Interrupt"), max: small(1, 4), after: small(0, 3), enqueue: small(0, 2) }),
  Schema.Struct({
    _tag: Schema.Literal("Settle"),
    which: Schema.Array(small(0, 9)).check(Schema.isMinLength(1), Schema.isMaxLength(5)),
    as: Schema.Literals(["Ack", "Ack", "Requeue", "Later", "DeadLetter", "Release"])
  }),
  Schema.Struct({ _tag: Schema.Literal("Twice"), which: small(0, 9) }),
  Schema.Struct({ _tag: Schema.Literal("Extend"), which: small(0, 9) }),
  Schema.Struct({ _tag: Schema.Literal("Redrive") }),
  Schema.Struct({ _tag: Schema.Literal("Reopen") })
])
const Script = Schema.Array(Schema.Struct({ process: small(0, 1), step: Step })).check(
  Schema.isMinLength(10),
  Schema.isMaxLength(50)
)

const dispositions = {
  Ack: Disposition.ack,
  Requeue: Disposition.requeue(),
  Later: Disposition.requeue("1 hour"),
  DeadLetter: Disposition.deadLetter("no stock"),
  Release: Disposition.release
}

type Opened = Effect.Success<ReturnType<typeof open>>

interface Message {
  readonly id: string
  deliveries: number
  state: "ready" | "held" | "delayed" | "dead"
}

/** What a queue is, with all time taken out of it. */
class Model {
  readonly messages = new Map<string, Message>()
  readonly held: Array<{ readonly by: Opened; readonly delivery: Delivery.Delivery }> = []

  claimed(by: Opened, deliveries: ReadonlyArray<Delivery.Delivery>): void {
    for (const delivery of deliveries) {
      const message = this.messages.get(delivery.transaction.id)
      assert.strictEqual(message?.state, "ready", `${delivery.transaction.id} was handed over while it was not ready`)
      assert.strictEqual(delivery.deliveries, message?.deliveries, `the count of ${delivery.transaction.id}`)
      message!.state = "held"
      this.held.push({ by, delivery })
    }
  }

  settle({ delivery }: Model["held"][number], as: keyof typeof dispositions): void {
    this.held.splice(this.held.findIndex((one) => one.delivery === delivery), 1)
    const message = this.messages.get(delivery.transaction.id)!
    if (as === "Ack") return void this.messages.delete(message.id)
    message.state = as === "Later" ? "delayed" : as === "DeadLetter" ? "dead" : "ready"
    if (as === "Later" || as === "Requeue") message.deliveries++
  }

  close(by: Opened): void {
    for (const one of this.held.filter((one) => one.by === by)) this.settle(one, "Requeue")
  }

  get count() {
    const of = (state: Message["state"]) => [...this.messages.values()].filter((one) => one.state === state).length
    return { ready: of("ready"), inFlight: of("held"), delayed: of("delayed") }
  }
}

const check = (unique: boolean, keep: boolean, script: typeof Script.Type) =>
  Effect.gen(function*() {
    const stream = yield* fresh
    const connect = open({
      stream,
      lease: "5 minutes",
      poll: "20 millis",
      ...(unique ? { unique: 0 } : {}),
      ...(keep ? { keep: "1 minute" } : {})
    })
    const processes = [yield* connect, yield* connect]
    const model = new Model()
    let last = 0
    const enqueue = (by: Opened, count: number) =>
      Effect.gen(function*() {
        const transactions = Array.from({ length: count }, () => Transaction.make(`t-${++last}`, last))
        yield* by.sink.dispatch(unique ? [...transactions, ...transactions] : transactions)
        for (const { id } of transactions) model.messages.set(id, { id, deliveries: 0, state: "ready" })
      })
    const refused = (by: Opened, delivery: Delivery.Delivery) =>
      Effect.flip(by.source.settle([Disposition.settlement(delivery, Disposition.ack)]))

    for (const { process, step } of script) {
      const by = processes[process]!
      const own = model.held.filter((one) => one.by === by)
      switch (step._tag) {
        case "Enqueue":
          yield* enqueue(by, step.count)
          break
        case "Fetch": {
          const { ready } = model.count
          const deliveries = yield* by.fetch(step.max)
          assert.isAtMost(deliveries.length, step.max)
          if (ready > 0) assert.isAbove(deliveries.length, 0)
          model.claimed(by, deliveries)
          break
        }
        case "Together": {
          const [a, b] = yield* Effect.all([by.fetch(step.max), by.fetch(step.max, "5 millis")], { concurrency: 2 })
          model.claimed(by, a)
          model.claimed(by, b)
          break
        }
        case "Interrupt": {
          const fiber = yield* Effect.forkChild(by.source.fetch({ max: step.max, wait: Duration.seconds(10) }))
          yield* Effect.sleep(step.after)
          if (step.enqueue > 0) yield* enqueue(processes[1 - process]!, step.enqueue)
          yield* Fiber.interrupt(fiber)
          const exit = yield* Fiber.await(fiber)
          if (exit._tag === "Success") model.claimed(by, exit.value)
          // What came too late is on its way back.
          yield* Effect.sleep(5)
          break
        }
        case "Settle": {
          const chosen = [...new Set(step.which)].flatMap((which) => own[which] ?? [])
          if (chosen.length === 0) break
          yield* by.settle(chosen.map(({ delivery }) => delivery), dispositions[step.as])
          for (const one of chosen) model.settle(one, step.as)
          break
        }
        case "Twice": {
          const one = own[step.which]
          if (one === undefined) break
          yield* by.settle([one.delivery, one.delivery], Disposition.requeue())
          yield* by.settle([one.delivery], Disposition.ack)
          model.settle(one, "Requeue")
          // A receipt of another connector settles nothing.
          assert.isDefined(yield* refused(processes[1 - process]!, { ...one.delivery, receipt: "none" }))
          break
        }
        case "Extend": {
          const one = own[step.which]
          if (one !== undefined) assert.deepStrictEqual(yield* by.source.extend!([one.delivery]), [])
          break
        }
        case "Redrive": {
          const { letters } = yield* by.source.letters!.list({ after: undefined, max: 100 })
          const dead = [...model.messages.values()].filter(({ state }) => state === "dead")
          assert.sameMembers(letters.map(({ letter }) => letter.id), dead.map(({ id }) => id))
          yield* by.source.letters!.putBack!(letters.map(({ key }) => key))
          for (const message of dead) Object.assign(message, { state: "ready", deliveries: 0 })
          break
        }
        case "Reopen":
          yield* by.close
          model.close(by)
          processes[process] = yield* connect
          break
      }
      for (const { source } of processes) assert.deepStrictEqual(yield* source.count!, model.count)
      for (const { by, delivery } of model.held) assert.isTrue(by.source.isHeld!(delivery))
    }

    // Whatever came before, all that is ready comes out, each once.
    yield* Effect.forEach(processes, (by) => Effect.andThen(by.close, Effect.sync(() => model.close(by))))
    const lastOne = yield* connect
    for (let ready = model.count.ready; ready > 0; ready = model.count.ready) {
      const deliveries = yield* lastOne.fetch(7)
      assert.isAbove(deliveries.length, 0)
      model.claimed(lastOne, deliveries)
      yield* lastOne.settle(deliveries, Disposition.ack)
      for (const one of [...model.held]) model.settle(one, "Ack")
    }
    assert.deepStrictEqual(yield* lastOne.fetch(1), [])
  }).pipe(Effect.scoped)

await Services.describe([Services.redis], "two connectors at one stream, under any script of calls", () => {
  const options = { arbitrary: { runs: 25, size: 30 }, timeout: 90_000 }
  it.live.prop("are one simple queue", [Script], ([script]) => check(false, false, script), options)
  it.live.prop("are one simple queue of unique ids", [Script], ([script]) => check(true, false, script), options)
  it.live.prop(
    "are one simple queue that keeps what is done",
    [Script],
    ([script]) => check(false, true, script),
    options
  )
})

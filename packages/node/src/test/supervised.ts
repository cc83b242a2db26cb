/** A program that tests of supervision spawn: what it does stands in its first argument, as JSON. */
import { Connector, ConnectorError, Memory, type Policy, Reason, Task, Transaction } from "@ergon/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ErgonRuntime from "../ErgonRuntime.ts"

/**
 * - `block`: the first transaction blocks the event loop for so many milliseconds; -1 is for ever. `after`: it waits for
 *   so long before.
 * - `work`: how long every transaction takes. `failing`: so many of the first ones fail.
 * - `fetch`: `hangs` and cannot be interrupted, or `fails` for ever.
 * - `sickAfter`: the health of the source fails from then on.
 */
export interface Supervised {
  readonly count?: number
  readonly block?: number
  readonly after?: number
  readonly work?: number
  readonly failing?: number
  readonly fetch?: "hangs" | "fails"
  readonly sickAfter?: number
  readonly streaming?: boolean
  readonly policy?: Policy.Input
  readonly http?: { readonly port: number }
  readonly supervision?: boolean
}

class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Int) {}
class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

const given: Supervised = JSON.parse(process.argv[2] ?? "{}")

const say = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${line}\n`))

const block = (millis: number): void => {
  const until = millis < 0 ? Infinity : performance.now() + millis
  while (performance.now() < until);
}

const lost = new ConnectorError.FetchError({ reason: new Reason.ConnectionLost({ message: "the broker is away" }) })

const jobs = Array.from({ length: given.count ?? 0 }, (_, n) => Transaction.make(`job-${n}`, n))

const queue = Connector.layerQueue(
  Jobs,
  Effect.gen(function*() {
    const startedAt = performance.now()
    const { sink, source } = Context.get(yield* Layer.build(Memory.queue(Jobs, jobs)), Jobs)
    const sick = (): boolean => given.sickAfter !== undefined && performance.now() - startedAt > given.sickAfter
    return {
      sink,
      source: {
        ...source,
        fetch: (request) =>
          given.fetch === "hangs"
            ? Effect.andThen(say("hangs"), Effect.uninterruptible(Effect.never))
            : given.fetch === "fails"
            ? Effect.andThen(say("fails"), Effect.fail(lost))
            : source.fetch(request),
        health: Effect.suspend(() => sick() ? Effect.fail(lost) : Effect.void),
        ...(given.fetch === "fails" ? { count: Effect.succeed({ ready: 9, inFlight: 0, delayed: 0 }) } : {})
      }
    }
  })
)

const task = Task.consumer("jobs", Jobs, ({ payload: n }) =>
  Effect.gen(function*() {
    yield* say(`started ${n}`)
    if (n === 0 && given.block !== undefined) {
      // Without this it blocks in the very tick in which the run begins.
      if (given.after !== undefined) yield* Effect.sleep(given.after)
      block(given.block)
    }
    yield* Effect.sleep(given.work ?? 0)
    if (n < (given.failing ?? 0)) return yield* new Broken()
    yield* say(`ended ${n}`)
  })).pipe(
    Task.policy({
      loop: { streaming: given.streaming ?? true, concurrency: 4 },
      fetch: { wait: "100 millis" },
      shutdown: { grace: "1 second", close: "500 millis" },
      supervision: {
        check: "100 millis",
        startGrace: 0,
        unhealthyGrace: "400 millis",
        thresholds: { fetch: "500 millis" }
      }
    }),
    Task.policy(given.policy ?? {}),
    Task.provide(queue)
  )

Task.run(task).pipe(ErgonRuntime.runMain({ http: given.http, supervision: given.supervision }))

import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Connector, ConnectorError, Memory, Reason, Task, Transaction } from "./index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

// Times are tens of milliseconds, and a deadline lies between two of them: nothing happens at the same time.
const Retries = Schema.Struct({
  maxAttempts: int(1, 9),
  backoff: int(0, 40),
  multiplier: int(1, 4),
  cap: int(0, 60),
  failures: int(0, 9),
  work: int(0, 5),
  deadline: Schema.Literals([15, 105, 405, 60_005])
})
type Retries = typeof Retries.Type

const capOf = ({ backoff, cap }: Retries): number => cap === 0 ? Infinity : 10 * Math.max(cap, backoff)

// When each try begins, and how it all ends: the formula of the policy and the rule of the deadline, and nothing else.
const reference = (
  retries: Retries,
  delay: (attempt: number) => number,
  maxAttempts: number
): [Array<number>, string] => {
  const starts = [0]
  for (let at = 10 * retries.work, attempt = 1;; attempt++, at = starts.at(-1)! + 10 * retries.work) {
    if (at > retries.deadline) return [starts, "timeout"]
    if (attempt > retries.failures) return [starts, "succeeded"]
    if (attempt >= maxAttempts) return [starts, "failed"]
    if (at + delay(attempt) > retries.deadline) return [starts, "requeued"]
    starts.push(at + delay(attempt))
  }
}

const retry = (retries: Retries) => ({
  maxAttempts: retries.maxAttempts,
  backoff: Duration.millis(10 * retries.backoff),
  multiplier: retries.multiplier,
  cap: Duration.millis(capOf(retries))
})

const policy = (retries: Retries) =>
  Task.policy({ loop: { limit: 1 }, transaction: { timeout: Duration.millis(retries.deadline) } })

// Works, and fails for as long as the script says. Keeps when it began.
const scripted = <E>(retries: Retries, starts: Array<number>, error: () => E) =>
  Effect.clockWith((clock) =>
    Effect.suspend(() => {
      const attempt = starts.push(clock.currentTimeMillisUnsafe())
      const end = attempt > retries.failures ? Effect.void : Effect.fail(error())
      return retries.work === 0 ? end : Effect.andThen(Effect.sleep(Duration.millis(10 * retries.work)), end)
    })
  )

const ending = <A, B, E, R, X>(task: Task.Task<A, B, E, R, X>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Stream.runCollect(Task.outcomes(task)))
    yield* TestClock.adjust("2 minutes")
    const [outcome] = yield* Fiber.join(fiber)
    return String(outcome?._tag)
  })

const source = Memory.source(Numbers, [Transaction.make("one", 1)])

describe("the waits between the tries", () => {
  it.effect.prop("of the process step are those of the policy", [Retries], ([retries]) =>
    Effect.gen(function*() {
      const starts: Array<number> = []
      const task = Task.consumer("trying", Numbers, () => scripted(retries, starts, () => new Refused())).pipe(
        Task.policy({ process: { retry: retry(retries) } }),
        policy(retries)
      )
      const tag = yield* ending(task)
      const delay = (n: number) => Math.min(capOf(retries), 10 * retries.backoff * retries.multiplier ** (n - 1))
      assert.deepStrictEqual([starts, tag], reference(retries, delay, retries.maxAttempts))
    }).pipe(Effect.provide(source)), { timeout: 60_000, arbitrary: { runs: 300, size: 60 } })

  it.effect.prop(
    "of a dispatch go on until the deadline, at least by the empty backoff",
    [Retries],
    ([retries]) =>
      Effect.gen(function*() {
        const starts: Array<number> = []
        const task = Task.consumer("sending", Numbers, () => Effect.succeed(1)).pipe(
          Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n)),
          Task.policy({ dispatch: { retry: retry(retries) } }),
          policy(retries)
        )
        const down = () =>
          new ConnectorError.DispatchError({ reason: new Reason.ConnectionLost({ message: "restarting" }) })
        const sink = Connector.layerSink(
          Results,
          Effect.succeed({ format: "json" as const, dispatch: () => scripted(retries, starts, down) })
        )
        const tag = yield* Effect.provide(ending(task), sink)
        const empty = (n: number) => Math.min(5000, 100 * 2 ** (n - 1))
        const delay = (n: number) =>
          Math.min(capOf(retries), 10 * retries.backoff * retries.multiplier ** (n - 1)) || empty(n)
        const [expected, end] = reference(retries, delay, Infinity)
        // A dispatch that is being tried again at the deadline is requeued, only the first try is a timeout.
        assert.deepStrictEqual([starts, tag], [expected, end === "timeout" && expected.length > 1 ? "requeued" : end])
      }).pipe(Effect.provide(source)),
    { timeout: 60_000, arbitrary: { runs: 300, size: 60 } }
  )

  it.effect.prop(
    "with jitter lie between none and what they would have been",
    [Retries],
    ([retries]) =>
      Effect.gen(function*() {
        const starts: Array<number> = []
        const task = Task.consumer("trying", Numbers, () => scripted(retries, starts, () => new Refused())).pipe(
          Task.policy({
            process: { retry: { ...retry(retries), jitter: "full" } },
            transaction: { timeout: "1 minute" }
          })
        )
        yield* ending(task)
        const tries = Math.min(retries.maxAttempts, retries.failures + 1)
        for (let n = 1; n < starts.length; n++) {
          const longest = Math.min(capOf(retries), 10 * retries.backoff * retries.multiplier ** (n - 1))
          const waited = starts[n]! - starts[n - 1]! - 10 * retries.work
          assert.isAtLeast(waited, 0)
          assert.isAtMost(waited, longest)
        }
        assert.isAtMost(starts.length, tries)
      }).pipe(Effect.provide(source)),
    { timeout: 60_000, arbitrary: { runs: 100, size: 60 } }
  )
})

describe("a program that fails at once and is tried again at once", () => {
  it.effect("does not grow the stack, and lets other fibers go on", () =>
    Effect.gen(function*() {
      let tries = 0
      let other = 0
      const task = Task.consumer("trying", Numbers, () => Effect.suspend(() => (tries++, Effect.fail(new Refused()))))
        .pipe(
          Task.policy({ process: { retry: { maxAttempts: 20_000 } } })
        )
      yield* Effect.forkChild(Effect.forever(Effect.suspend(() => (other++, Effect.yieldNow))))
      const summary = yield* Task.run(task)
      assert.deepStrictEqual([tries, summary.retries, summary.deadLettered], [20_000, 19_999, 1])
      assert.isAtLeast(other, 100)
    }).pipe(Effect.provide(source)))
})

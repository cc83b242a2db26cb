import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Connector, ConnectorError, Delivery, Outline, Policy, Reason, Task, Transaction } from "./index.ts"
import * as running from "./internal/running.ts"
import { definitionOf } from "./internal/task.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

// Times are milliseconds; 0 stands for no timeout where there may be none.
const Retries = Schema.Struct({
  maxAttempts: int(1, 4),
  backoff: int(0, 90),
  multiplier: int(1, 3),
  timeout: int(0, 60)
})
type Retries = typeof Retries.Type

const Kind = Schema.Literals(["ok", "fail", "fail", "hang", "die"])
const Script = Schema.Array(Schema.Struct({ work: int(0, 80), kind: Kind })).check(Schema.isMaxLength(6))
type Script = typeof Script.Type

const World = Schema.Struct({
  kind: Schema.Literals(["consumer", "consumer", "producer"]),
  process: Retries,
  success: Retries,
  exception: Retries,
  settleTimeout: int(1, 40),
  connectorBackoff: int(0, 3),
  deadline: int(0, 400),
  sink: Schema.Boolean,
  onSuccess: Schema.Boolean,
  onFailure: Schema.Boolean,
  deadLetter: Schema.Literals(["sink", "own", "discard"])
})
type World = typeof World.Type

const Scripts = Schema.Struct({
  process: Script,
  success: Script,
  exception: Script,
  dispatch: Script,
  deadLetter: Script,
  settle: Script
})

const timeoutOf = (millis: number) => millis === 0 ? null : Duration.millis(millis)
const retryOf = ({ backoff, maxAttempts, multiplier }: Retries) => ({
  maxAttempts,
  multiplier,
  backoff: Duration.millis(backoff)
})

const policyOf = (world: World): Policy.Input => ({
  loop: { limit: 1 },
  process: { retry: retryOf(world.process), timeout: timeoutOf(world.process.timeout) },
  success: { retry: retryOf(world.success), timeout: timeoutOf(world.success.timeout) },
  exception: { retry: retryOf(world.exception), timeout: Duration.millis(Math.max(1, world.exception.timeout)) },
  dispatch: { retry: { backoff: Duration.millis(world.connectorBackoff) } },
  settle: {
    retry: { backoff: Duration.millis(world.connectorBackoff) },
    timeout: Duration.millis(world.settleTimeout)
  },
  transaction: { timeout: timeoutOf(world.deadline) }
})

// What is called, with how often it was called before.
interface Actors {
  readonly process: (call: number) => Effect.Effect<void, Refused>
  readonly success: (call: number) => Effect.Effect<void, Refused>
  readonly exception: (call: number) => Effect.Effect<void, Refused>
  readonly dispatch: (call: number) => Effect.Effect<void, ConnectorError.DispatchError>
  readonly deadLetter: (call: number) => Effect.Effect<void, ConnectorError.DispatchError>
  readonly settle: (call: number) => Effect.Effect<void, ConnectorError.SettleError>
}

const counted = <A, E>(f: (call: number) => Effect.Effect<A, E>): () => Effect.Effect<A, E> => {
  let calls = 0
  return () => Effect.suspend(() => f(calls++))
}

/** When the transaction was handed over, and when its settlement was confirmed. */
class Times {
  began: number | undefined = undefined
  ended: number | undefined = undefined
}

const handing = (times: Times) =>
  Effect.clockWith((clock) =>
    Effect.sync(() => {
      times.began ??= clock.currentTimeMillisUnsafe()
      return Transaction.make("one", 1)
    })
  )

const source = (
  times: Times,
  settle: () => Effect.Effect<void, ConnectorError.SettleError>
): Connector.SourceService => ({
  format: "json",
  capabilities: {
    settlement: "each",
    lease: undefined,
    deliveries: "native",
    // What waits for its next delivery waits at the source.
    requeueDelay: "native",
    deadLetter: "native",
    ordering: "none"
  },
  fetch: () =>
    Effect.suspend(() =>
      times.began === undefined
        ? Effect.map(handing(times), (transaction) => [Delivery.make(transaction)])
        : Effect.succeed([])
    ),
  settle
})

type Built = Task.Task<number, void, Refused, Numbers | Results | Dead>

const build = (world: World, actors: Actors, times: Times): Built => {
  const one = counted(actors.process)
  const plain: Built = world.kind === "consumer"
    ? Task.consumer("worst", Numbers, one)
    : Task.producer("worst", Stream.fromEffect(handing(times)), one)
  const sent: Built = world.sink ? plain.pipe(Task.dispatch(Results, ({ id }) => Transaction.make(id, 1))) : plain
  const succeeding = counted(actors.success)
  const hooked: Built = world.onSuccess ? sent.pipe(Task.onSuccess(() => succeeding())) : sent
  const excepting = counted(actors.exception)
  const failing: Built = world.onFailure ? hooked.pipe(Task.onFailure(() => excepting())) : hooked
  const buried: Built = world.deadLetter === "sink"
    ? failing.pipe(Task.deadLetter(Dead))
    : world.deadLetter === "discard"
    ? failing.pipe(Task.discardFailures)
    : failing
  return buried.pipe(Task.policy(policyOf(world)))
}

const layers = (actors: Actors, times: Times) =>
  Layer.mergeAll(
    Connector.layerSource(Numbers, Effect.sync(() => source(times, counted(actors.settle)))),
    Connector.layerSink(Results, Effect.succeed({ format: "json" as const, dispatch: counted(actors.dispatch) })),
    Connector.layerDeadLetters(Dead, Effect.succeed({ format: "json" as const, dispatch: counted(actors.deadLetter) }))
  )

/** Runs it, and says what its transaction took: `undefined` when it does not end. */
const measure = (world: World, actors: Actors) =>
  Effect.gen(function*() {
    const times = new Times()
    const task = build(world, actors, times)
    const worst = Outline.of(task).worstCase.transaction!
    const clock = yield* Clock.Clock
    const observe = () => {
      times.ended ??= clock.currentTimeMillisUnsafe()
    }
    const fiber = yield* Effect.forkChild(Effect.exit(
      Effect.provide(running.start(definitionOf(task), { observe }), layers(actors, times))
    ))
    yield* TestClock.adjust("1 minute")
    const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber))
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(stopping)
    const took = times.ended === undefined ? undefined : times.ended - times.began!
    return { worst, took }
  })

const millis = (bound: Outline.Bound | undefined): number => bound === undefined ? 0 : Duration.toMillis(bound.time)

const down = new Reason.ConnectionLost({ message: "restarting" })
const throttled = (retryAfter: number) => new Reason.Throttled({ message: "later", retryAfter })

/** What a producer requeues waits in memory for its next delivery, which is another transaction's time. */
const neverRequeued = (world: World): World => ({
  ...world,
  deadline: 0,
  sink: false,
  onFailure: false,
  deadLetter: world.deadLetter === "sink" ? "own" : world.deadLetter
})

const waitsOf = (retries: Retries): number => Policy.delays(retryOf(retries)).reduce((sum, delay) => sum + delay, 0)

const triesOf = (retries: Retries): number =>
  (retries.timeout === 0 ? Infinity : retries.maxAttempts * retries.timeout) + waitsOf(retries)

/** A deadline that all waits of the process step fit into; in a roomy world, all that the steps can take. */
const worstWorld = (generated: World, extra: number, roomy: boolean): World => {
  const world: World = { ...generated, kind: "consumer", connectorBackoff: 1, success: generated.success }
  if (roomy && !world.sink && world.process.timeout > 0 && world.success.timeout > 0) {
    return { ...world, deadline: triesOf(world.process) + triesOf(world.success) + extra }
  }
  return { ...world, success: { ...world.success, timeout: 0 }, deadline: waitsOf(world.process) + extra }
}

/** How long each try of the process step goes on, so that the last one is under way when the time is up. */
const triesUntil = (retries: Retries, deadline: number): ReadonlyArray<number> => {
  const longest = retries.timeout === 0 ? Infinity : retries.timeout
  const target = Math.min(deadline, triesOf(retries))
  let spare = Math.max(0, target - longest - waitsOf(retries))
  return Array.from({ length: retries.maxAttempts }, (_, index) => {
    if (index === retries.maxAttempts - 1) return Infinity
    const taken = Math.min(longest, spare)
    spare -= taken
    return taken
  })
}

const failAfter = <E>(work: number, error: E): Effect.Effect<never, E> =>
  work === Infinity ? Effect.never : Effect.andThen(Effect.sleep(Duration.millis(work)), Effect.fail(error))

/** Everything takes as long as it may, and answers only where an answer makes the rest take longer. */
const worstActors = (world: World): Actors => {
  const processes = triesUntil(world.process, world.deadline)
  const last = world.process.maxAttempts - 1
  const succeedsLate = world.onSuccess && !world.sink && world.success.timeout > 0
  const hookTimeout = Math.max(1, world.exception.timeout)
  return {
    process: (call) => {
      if (succeedsLate) return call < last ? Effect.never : Effect.sleep(Duration.millis(world.process.timeout - 1))
      if (world.sink || world.onSuccess) return Effect.void
      return failAfter(processes[call]!, new Refused())
    },
    dispatch: () => Effect.never,
    success: () => Effect.never,
    exception: (call) =>
      call < world.exception.maxAttempts - 1 ? Effect.never : Effect.sleep(Duration.millis(hookTimeout - 1)),
    deadLetter: (call) =>
      call === 0 ? failAfter(0, new ConnectorError.DispatchError({ reason: throttled(hookTimeout) })) : Effect.never,
    settle: (call) =>
      call === 0
        ? failAfter(world.settleTimeout - 1, new ConnectorError.SettleError({ reason: throttled(world.deadline) }))
        : Effect.never
  }
}

const scripted = <E>(script: Script, error: () => E) => (call: number): Effect.Effect<void, E> => {
  const { kind, work } = script[call] ?? { kind: "ok" as const, work: 0 }
  const after = Effect.sleep(Duration.millis(work))
  switch (kind) {
    case "ok":
      return after
    case "fail":
      return Effect.andThen(after, Effect.fail(error()))
    case "die":
      return Effect.andThen(after, Effect.die("a defect"))
    case "hang":
      return Effect.never
  }
}

describe("the worst case of a transaction", () => {
  it.effect.prop(
    "is never exceeded, whatever programs, sinks and sources do",
    [World, Scripts],
    ([world, scripts]) =>
      Effect.gen(function*() {
        const refused = () => new Refused()
        const notSent = () => new ConnectorError.DispatchError({ reason: down })
        const actors: Actors = {
          process: scripted(scripts.process, refused),
          success: scripted(scripts.success, refused),
          exception: scripted(scripts.exception, refused),
          dispatch: scripted(scripts.dispatch, notSent),
          deadLetter: scripted(scripts.deadLetter, notSent),
          settle: scripted(scripts.settle, () => new ConnectorError.SettleError({ reason: down }))
        }
        // A requeue of a producer waits in memory, as it would at a source.
        const { took, worst } = yield* measure(world.kind === "producer" ? neverRequeued(world) : world, actors)
        if (Duration.isFinite(worst.time)) {
          assert.isDefined(took)
          assert.isAtMost(took!, millis(worst), worst.formula)
        } else {
          assert.isNotEmpty(worst.missing)
        }
      }),
    { timeout: 60_000, arbitrary: { runs: 200, size: 60 } }
  )

  it.effect.prop(
    "is reached by the worst programs, sinks and sources",
    [World, int(1, 400), Schema.Boolean],
    ([generated, extra, roomy]) =>
      Effect.gen(function*() {
        const world = worstWorld(generated, extra, roomy)
        const { took, worst } = yield* measure(world, worstActors(world))
        assert.isTrue(Duration.isFinite(worst.time))
        // What answers at the last moment answers a millisecond before its timeout: one step, the hook, one settlement.
        assert.isAtMost(took!, millis(worst), worst.formula)
        assert.isAtLeast(took!, millis(worst) - 3, worst.formula)
      }),
    { timeout: 60_000, arbitrary: { runs: 200, size: 60 } }
  )
})

describe("the worst case of a delivery over all redeliveries", () => {
  const Round = Schema.Struct({
    maxDeliveries: int(1, 3),
    deadline: int(5, 60),
    hook: int(2, 40),
    settle: int(2, 40),
    worst: Schema.Boolean
  })

  it.effect.prop(
    "is never exceeded, and reached when each of them takes as long as it may",
    [Round],
    ([{ deadline, hook, maxDeliveries, settle, worst }]) =>
      Effect.gen(function*() {
        const clock = yield* Clock.Clock
        let processed = 0
        let ended = 0
        let deliveries = 0
        let waiting = true
        const late = (millis: number) => Effect.sleep(Duration.millis(worst ? millis - 1 : 0))
        const letters = counted((call) =>
          call % 2 === 0
            ? failAfter(0, new ConnectorError.DispatchError({ reason: throttled(hook) }))
            : call < 2 * (maxDeliveries + 1)
            ? Effect.never
            : late(hook)
        )
        const settling = counted((call) =>
          call % 2 === 0
            ? failAfter(worst ? settle - 1 : 0, new ConnectorError.SettleError({ reason: throttled(deadline) }))
            : late(settle)
        )
        const service: Connector.SourceService = {
          ...source(new Times(), () => Effect.void),
          fetch: () =>
            Effect.sync(() => {
              if (!waiting) return []
              waiting = false
              return [Delivery.make(Transaction.make("one", 1), { deliveries: deliveries++ })]
            }),
          settle: (settlements) =>
            Effect.tap(settling(), () =>
              Effect.sync(() => {
                waiting = settlements.some(({ disposition }) => disposition._tag === "Requeue")
                ended = clock.currentTimeMillisUnsafe()
              }))
        }
        const task = Task.consumer("again", Numbers, () => Effect.andThen(Effect.sync(() => processed++), Effect.never))
          .pipe(
            Task.onFailure(() => late(hook)),
            Task.deadLetter(Dead),
            Task.policy({
              dispatch: { retry: { backoff: "1 millis" } },
              exception: { timeout: Duration.millis(hook) },
              settle: { retry: { backoff: "1 millis" }, timeout: Duration.millis(settle) },
              transaction: { timeout: Duration.millis(deadline), maxDeliveries }
            })
          )
        const connectors = Layer.mergeAll(
          Connector.layerSource(Numbers, Effect.succeed(service)),
          Connector.layerDeadLetters(Dead, Effect.succeed({ format: "json" as const, dispatch: letters }))
        )
        const fiber = yield* Effect.forkChild(Effect.provide(Task.run(task), connectors))
        yield* TestClock.adjust("1 minute")
        const summary = yield* Fiber.join(fiber)
        assert.deepStrictEqual([processed, summary.deadLettered], [maxDeliveries + 1, 1])
        const bound = Outline.of(task).worstCase.deliveries!
        assert.isAtMost(ended, millis(bound), bound.formula)
        // In each round the hook, two tries of the settlement, and in the last the dead letter answer a millisecond early.
        if (worst) assert.isAtLeast(ended, millis(bound) - 3 * (maxDeliveries + 2), bound.formula)
      }),
    { timeout: 60_000, arbitrary: { runs: 40, size: 60 } }
  )
})

describe("the worst case of a drain", () => {
  const Drain = Schema.Struct({
    grace: int(0, 200),
    close: int(2, 200),
    work: int(0, 500),
    program: Schema.Literals(["works", "hangs", "resists"]),
    settles: Schema.Boolean
  })

  it.effect.prop(
    "is never exceeded, and reached by work that resists and a source that does not answer",
    [Drain],
    ([{ close, grace, program, settles, work }]) =>
      Effect.gen(function*() {
        const run = program === "works"
          ? Effect.sleep(Duration.millis(work))
          : program === "hangs"
          ? Effect.never
          : Effect.uninterruptible(Effect.never)
        const times = new Times()
        const task = Task.consumer("draining", Numbers, () => run).pipe(
          Task.policy({ shutdown: { grace: Duration.millis(grace), close: Duration.millis(close) } })
        )
        const connectors = Connector.layerSource(
          Numbers,
          Effect.succeed(source(times, () => settles ? Effect.void : Effect.never))
        )
        const clock = yield* Clock.Clock
        let ended = 0
        const fiber = yield* Effect.forkChild(
          Effect.onExit(Effect.provide(Task.run(task), connectors), () =>
            Effect.sync(() => {
              ended = clock.currentTimeMillisUnsafe()
            }))
        )
        yield* TestClock.adjust("10 millis")
        const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(stopping)
        const bound = Outline.of(task).worstCase.drain
        assert.isAtMost(ended - 10, millis(bound), bound.formula)
        if (program === "resists" && !settles) assert.strictEqual(ended - 10, millis(bound))
      }),
    { timeout: 60_000, arbitrary: { runs: 100, size: 60 } }
  )
})

describe("the worst case of the wait for a first delivery", () => {
  const Idle = Schema.Struct({
    // Without a backoff time stands still between two fetches.
    backoff: int(1, 50),
    multiplier: int(1, 3),
    cap: int(1, 200),
    wait: Schema.Literals([0, 5]),
    timeout: int(10, 60),
    // How many fetches are empty, how long they take, and when the delivery comes after the last of them.
    empties: int(1, 9),
    answers: int(0, 59),
    after: int(0, 300),
    worst: Schema.Boolean
  })

  it.effect.prop(
    "is never exceeded, and reached by one that comes right after an empty answer of a slow source",
    [Idle],
    ([{ after, answers, backoff, cap, empties, multiplier, timeout, wait, worst }]) =>
      Effect.gen(function*() {
        const clock = yield* Clock.Clock
        const now = () => clock.currentTimeMillisUnsafe()
        const latency = worst ? 0 : answers % timeout
        const fetches = worst ? 20 : empties
        let fetched = 0
        let availableAt = Infinity
        let handed = false
        let began: number | undefined
        const service: Connector.SourceService = {
          ...source(new Times(), () => Effect.void),
          fetch: () =>
            Effect.suspend(() => {
              const takes = worst && fetched >= fetches ? timeout - 1 : latency
              return Effect.andThen(
                Effect.sleep(Duration.millis(takes)),
                Effect.sync(() => {
                  if (++fetched === fetches) availableAt = now() + (worst ? 0 : after)
                  if (handed || now() < availableAt || fetched <= fetches) return []
                  handed = true
                  return [Delivery.make(Transaction.make("one", 1))]
                })
              )
            })
        }
        const longest = Math.max(cap, backoff)
        const task = Task.consumer("idle", Numbers, () =>
          Effect.sync(() => {
            began = now()
          })).pipe(
            Task.policy({
              loop: { streaming: true },
              fetch: {
                wait: Duration.millis(wait),
                timeout: Duration.millis(timeout),
                empty: { backoff: Duration.millis(backoff), multiplier, cap: Duration.millis(longest) }
              }
            })
          )
        const fiber = yield* Effect.forkChild(
          Effect.provide(Task.run(task), Connector.layerSource(Numbers, Effect.succeed(service)))
        )
        yield* TestClock.adjust("5 seconds")
        const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(stopping)
        const bound = Outline.of(task).worstCase.firstDelivery!
        assert.isDefined(began)
        assert.isAtMost(began! - availableAt, millis(bound), bound.formula)
        if (worst) assert.strictEqual(began! - availableAt, millis(bound) - 1, bound.formula)
      }),
    { timeout: 60_000, arbitrary: { runs: 40, size: 60 } }
  )
})

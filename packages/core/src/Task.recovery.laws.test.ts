import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Connector, Decision, Memory, Reason, Task, Transaction } from "./index.ts"
import { Faults, PushSource, WatermarkSource } from "./testing/index.ts"

// Runs that are cut short, one after the other, on a source that loses channels, partitions and leases; then one that
// may go on. In the end everything is done, and what is done has its result or its dead letter.

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Fault = Schema.Literals(["none", "none", "lost answer", "down", "hangs", "throws"])

const World = Schema.Struct({
  transport: Schema.Literals(["push", "watermark", "lease"]),
  scripts: Schema.NonEmptyArray(
    Schema.Struct({
      kind: Schema.Literals(["ok", "ok", "retry", "requeue", "die", "hang", "invalid"]),
      work: int(0, 60),
      key: int(0, 2)
    })
  ).check(Schema.isMaxLength(12)),
  concurrency: int(1, 4),
  prefetch: int(0, 4),
  mode: Schema.Literals(["continuous", "batch"]),
  ordering: Schema.Boolean,
  settle: Schema.Array(Fault).check(Schema.isMaxLength(5)),
  fetch: Schema.Array(Fault).check(Schema.isMaxLength(4)),
  extend: Schema.Array(Fault).check(Schema.isMaxLength(4)),
  dispatch: Schema.Array(Fault).check(Schema.isMaxLength(4)),
  // Milliseconds after which each run is interrupted, and after which the source takes everything back.
  runs: Schema.Array(int(0, 300)).check(Schema.isMaxLength(3)),
  losses: Schema.Array(int(10, 400)).check(Schema.isMaxLength(3))
})
type World = typeof World.Type

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int, key: Schema.Int })) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

class Again extends Schema.TaggedError<Again>()("Again", {}) {}
class Later extends Schema.TaggedError<Later>()("Later", {}) {}

const down = new Reason.ConnectionLost({ message: "down" })

// One fault per call, counted over all runs.
const plan = (faults: ReadonlyArray<typeof Fault.Type>): Faults.Plan => {
  let calls = 0
  return () => {
    switch (faults[calls++]) {
      case "lost answer":
        return Faults.failAfter(down)
      case "down":
        return Faults.failBefore(down)
      case "hangs":
        return Faults.hang()
      case "throws":
        return Faults.die("bug")
      default:
        return undefined
    }
  }
}

// A fetch whose answer is lost, or that breaks, loses what it has taken until its connector closes: a fault of the
// transport, and none that a run has to make good.
const fetchable = (faults: World["fetch"]): World["fetch"] =>
  faults.map((fault) => fault === "lost answer" || fault === "throws" ? "down" : fault)

const task = (world: World, seen: { active: number; peak: number; overlapping: boolean }) => {
  const tries = new Map<number, number>()
  const keys = new Map<number, number>()
  const recovering = Task.consumer(
    "recovering",
    Numbers,
    ({ payload: { key, n } }) =>
      Effect.suspend((): Effect.Effect<number, Again | Later> => {
        const { kind, work } = world.scripts[n]!
        const attempt = (tries.get(n) ?? 0) + 1
        tries.set(n, attempt)
        seen.peak = Math.max(seen.peak, ++seen.active)
        seen.overlapping ||= (keys.get(key) ?? 0) > 0
        keys.set(key, (keys.get(key) ?? 0) + 1)
        const end: Effect.Effect<number, Again | Later> = kind === "die"
          ? Effect.die("a defect")
          : kind === "hang"
          ? Effect.never
          : kind === "retry" && attempt === 1
          ? Effect.fail(new Again())
          : kind === "requeue" && attempt === 1
          ? Effect.fail(new Later())
          : Effect.succeed(n)
        return Effect.ensuring(
          work === 0 ? end : Effect.andThen(Effect.sleep(Duration.millis(work)), end),
          Effect.sync(() => {
            seen.active--
            keys.set(key, keys.get(key)! - 1)
          })
        )
      })
  ).pipe(
    Task.dispatch(Results, ({ id }, n) => Transaction.make(id, n)),
    Task.deadLetter(Dead),
    Task.decide({
      Again: () => Decision.retry,
      Later: () => Decision.requeue("20 millis")
    }),
    Task.policy({
      loop: {
        concurrency: world.concurrency,
        mode: world.mode,
        streaming: true
      },
      fetch: {
        batch: { size: 4 },
        prefetch: world.mode === "batch" ? 0 : world.prefetch,
        wait: "100 millis",
        timeout: "1 second"
      },
      process: { retry: { maxAttempts: 2, backoff: "5 millis" } },
      dispatch: { timeout: "500 millis", retry: { maxAttempts: 5 } },
      settle: { timeout: "300 millis", retry: { maxAttempts: 5 } },
      exception: { timeout: "500 millis" },
      transaction: { timeout: "2 seconds", maxDeliveries: 1000 },
      shutdown: { grace: "50 millis", close: "200 millis" }
    })
  )
  return world.ordering ? recovering.pipe(Task.orderBy(({ payload }) => String(payload.key))) : recovering
}

// The source under test: its Layer, how it loses what it has handed over, and the ids that it has done with.
const transport = (world: World) =>
  Effect.gen(function*() {
    const transactions = world.scripts.map(({ key, kind }, n) =>
      Transaction.make(`n-${n}`, { n: kind === "invalid" ? "none" : n, key })
    )
    const faulty = Faults.source(Numbers, {
      settle: plan(world.settle),
      fetch: plan(fetchable(world.fetch)),
      extend: plan(world.extend)
    })
    if (world.transport === "push") {
      const broker = yield* PushSource.make({ prefetch: 6, reconnect: "20 millis" })
      yield* broker.publish(transactions)
      return {
        layer: PushSource.layer(Numbers, broker).pipe(faulty),
        lose: broker.cut,
        done: Effect.map(broker.contents, ({ acked, inFlight, ready }) =>
          inFlight.length === 0 && ready.length === 0 ? acked : undefined)
      }
    }
    if (world.transport === "watermark") {
      const topic = yield* WatermarkSource.make({ partitions: 2 })
      const parts = [0, 1].map((partition) =>
        transactions.filter((_, n) => n % 2 === partition)
      )
      for (const [partition, part] of parts.entries()) yield* topic.append(partition, part)
      return {
        layer: WatermarkSource.layer(Numbers, topic).pipe(faulty),
        lose: topic.revokeAll,
        done: Effect.map(topic.committed, (committed) =>
          committed.every((position, partition) =>
              position === parts[partition]!.length
            )
            ? transactions.map(({ id }) => id)
            : undefined)
      }
    }
    // One store for all runs: leases run out, connectors stay.
    const services = yield* Layer.build(Memory.sourceEncoded(Numbers, transactions, { lease: "90 millis" }))
    return {
      layer: Layer.succeedContext(services).pipe(faulty),
      lose: Effect.void,
      done: Memory.contents(Numbers).pipe(
        Effect.map(({ acked, delayed, inFlight, ready }) =>
          delayed.length + inFlight.length + ready.length === 0 ? acked : undefined
        ),
        Effect.provide(services)
      )
    }
  })

const dispatching = (faults: World["dispatch"], into: Set<string>): Connector.SinkService =>
  Faults.sinkService({
    format: "json",
    dispatch: (transactions) =>
      Effect.sync(() => {
        for (const { id } of transactions) into.add(id)
      })
  }, { dispatch: plan(faults) })

const check = (world: World) =>
  Effect.gen(function*() {
    const results = new Set<string>()
    const dead = new Set<string>()
    const { done, layer, lose } = yield* transport(world)
    const layers = Layer.mergeAll(
      layer,
      Connector.layerSink(Results, Effect.succeed(dispatching(world.dispatch, results))),
      Connector.layerDeadLetters(Dead, Effect.succeed(dispatching([], dead))),
      Logger.layer([])
    )
    for (const at of world.losses) yield* Effect.forkChild(Effect.delay(lose, Duration.millis(at)))
    let finished: ReadonlyArray<string> | undefined
    // What a source was never told, it delivers again to the next run.
    const runs = [...world.runs, 5000, 20_000, 20_000, 20_000]
    for (let run = 0; run < runs.length && finished === undefined; run++) {
      const seen = { active: 0, peak: 0, overlapping: false }
      const running = Effect.provide(Task.run(task(world, seen)), layers)
      // A source that breaks ends its run; whoever runs it starts it again.
      const fiber = yield* Effect.forkChild(Effect.retry(Effect.sandbox(running), { times: 20 }))
      yield* TestClock.adjust(Duration.millis(runs[run]!))
      finished = yield* done
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 second")
      assert.isDefined(interrupting.pollUnsafe(), "an interrupted run ends in time")
      assert.isAtMost(seen.peak, world.concurrency, "concurrency stays within its bound")
      if (world.ordering) assert.isFalse(seen.overlapping, "those of one key do not overlap")
      assert.strictEqual(seen.active, 0, "nothing runs after the end of its run")
    }
    assert.isDefined(finished, "everything is done in the end")
    for (const [n, { kind }] of world.scripts.entries()) {
      const id = `n-${n}`
      assert.isTrue(results.has(id) || dead.has(id), `${id} has its result or its dead letter`)
      if (kind === "invalid" || kind === "die" || kind === "hang") assert.isTrue(dead.has(id), `${id} is dead`)
    }
  })

describe("runs that are cut short", () => {
  it.effect.prop("lose nothing: in the end everything is done", [World], ([world]) => Effect.scoped(check(world)), {
    timeout: 120_000,
    arbitrary: { runs: 300, size: 60 }
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Schema, Tracer } from "effect"
import { TestClock } from "effect/testing"
import {
  Connector,
  ConnectorError,
  Control,
  Decision,
  Delivery,
  Disposition,
  type Outcome,
  Reason,
  Task,
  Transaction
} from "../../index.ts"

// A generated world: what each transaction does, how the connectors fail, and how the task is set up.

const Kind = Schema.Literals(["ok", "fail", "die", "hang", "slow", "invalid", "interrupts", "resists", "requeues"])
const Hook = Schema.Literals(["none", "void", "ack", "requeue", "release", "dead-letter", "die", "fail"])
const SettleFault = Schema.Literals(["none", "none", "none", "lost", "connection", "after", "hang", "part"])
const DispatchFault = Schema.Literals(["none", "none", "none", "connection", "invalid", "part", "die"])

const int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Script = Schema.Struct({ kind: Kind, failures: int(0, 4), work: int(0, 40), key: int(0, 2) })

const World = Schema.Struct({
  scripts: Schema.Array(Script).check(Schema.isMaxLength(14)),
  concurrency: int(1, 4),
  batchSize: int(1, 6),
  mode: Schema.Literals(["continuous", "batch"]),
  maxAttempts: int(1, 3),
  backoff: int(0, 20),
  attemptTimeout: Schema.Literals([0, 30]),
  hook: Hook,
  surplus: int(0, 3),
  settleFaults: Schema.Array(SettleFault).check(Schema.isMaxLength(4)),
  dispatchFaults: Schema.Array(DispatchFault).check(Schema.isMaxLength(4)),
  deadLetterFaults: Schema.Array(DispatchFault).check(Schema.isMaxLength(3)),
  sink: Schema.Boolean,
  ordering: Schema.Boolean,
  limit: Schema.Literals([-1, 0, 1, 3, 7]),
  interruptAt: Schema.Literals([-1, -1, -1, 0, 15, 45, 120]),
  settlement: Schema.Literals(["each", "watermark"]),
  traced: Schema.Boolean
})
type World = typeof World.Type
type Script = typeof Script.Type

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const lost = new Reason.LeaseLost({ message: "gone" })
const connection = new Reason.ConnectionLost({ message: "cut" })
const invalid = new Reason.InvalidRequest({ message: "refused" })

// What happened, as the source and the sinks saw it.
class Record {
  readonly handed: Array<{ readonly n: number; readonly receipt: number; readonly asked: number }> = []
  readonly settled = new Map<number, Array<string>>()
  readonly committed = new Map<string, number>()
  readonly confirmed = new Set<string>()
  readonly dead = new Set<string>()
  readonly hooks = new Map<string, number>()
  readonly firstStarts = new Map<number, Array<number>>()
  readonly activeKeys = new Map<number, number>()
  overlapping = false
  readonly attempts = new Map<number, Array<number>>()
  active = 0
  peak = 0
  overAsked = false
  readonly spans: Array<Tracer.NativeSpan> = []
}

const source = (world: World, record: Record): Connector.SourceService => {
  const queue = world.scripts.map((script, n) => ({ n, deliveries: 0, key: String(script.key) }))
  let receipts = 0
  let settles = 0
  const effective = new Set<number>()
  // What a settlement does at the source. Settling twice changes nothing.
  const apply = (settlement: Disposition.Settlement): void => {
    const receipt = settlement.delivery.receipt as number
    if (effective.has(receipt)) return
    effective.add(receipt)
    if (world.settlement === "watermark") {
      if (settlement.disposition._tag === "Ack") record.committed.set(settlement.delivery.partition!, receipt)
    }
    const { id } = settlement.delivery.transaction
    if (settlement.disposition._tag === "Requeue") {
      queue.push({ n: Number(id), deliveries: settlement.delivery.deliveries + 1, key: settlement.delivery.key! })
    }
  }
  // What the engine is told has been settled.
  const confirm = (settlements: ReadonlyArray<Disposition.Settlement>): void => {
    for (const settlement of settlements) {
      apply(settlement)
      const receipt = settlement.delivery.receipt as number
      record.settled.set(receipt, [...record.settled.get(receipt) ?? [], settlement.disposition._tag])
    }
  }
  return {
    format: "json",
    capabilities: {
      settlement: world.settlement,
      lease: undefined,
      deliveries: "native",
      requeueDelay: "engine",
      deadLetter: "none",
      ordering: "none"
    },
    fetch: ({ max }) =>
      Effect.sync(() => {
        record.overAsked ||= world.limit >= 0 && max > world.limit - record.handed.length
        return queue.splice(0, max + world.surplus).map(({ deliveries, key, n }) => {
          const receipt = receipts++
          record.handed.push({ n, receipt, asked: max })
          const payload = world.scripts[n]!.kind === "invalid" ? { n: "none" } : { n }
          return Delivery.make(Transaction.make(String(n), payload), { deliveries, receipt, key, partition: key })
        })
      }),
    settle: (settlements) =>
      Effect.suspend((): Effect.Effect<void, ConnectorError.SettleError> => {
        const fault = world.settleFaults[settles++] ?? "none"
        switch (fault) {
          case "lost":
            return Effect.fail(new ConnectorError.SettleError({ reason: lost }))
          case "connection":
            return Effect.fail(new ConnectorError.SettleError({ reason: connection }))
          case "hang":
            return Effect.never
          case "after":
            // It took effect, and nobody was told: the second time must change nothing.
            for (const settlement of settlements) apply(settlement)
            return Effect.fail(new ConnectorError.SettleError({ reason: connection }))
          case "part": {
            confirm(settlements.slice(1))
            return Effect.fail(new ConnectorError.SettleError({ reason: lost, failed: [{ index: 0, reason: lost }] }))
          }
          case "none":
            confirm(settlements)
            return Effect.void
        }
      })
  }
}

const sink = (faults: World["dispatchFaults"], into: Set<string>): Connector.SinkService => {
  let calls = 0
  return {
    format: "json",
    dispatch: (transactions) =>
      Effect.suspend((): Effect.Effect<void, ConnectorError.DispatchError> => {
        const fault = faults[calls++] ?? "none"
        const take = (some: ReadonlyArray<Transaction.Transaction<unknown>>): void => {
          for (const { id } of some) into.add(id)
        }
        switch (fault) {
          case "connection":
            return Effect.fail(new ConnectorError.DispatchError({ reason: connection }))
          case "invalid":
            return Effect.fail(new ConnectorError.DispatchError({ reason: invalid }))
          case "die":
            return Effect.die("the sink broke")
          case "part":
            take(transactions.slice(1))
            return Effect.fail(
              new ConnectorError.DispatchError({ reason: connection, failed: [{ index: 0, reason: connection }] })
            )
          case "none":
            take(transactions)
            return Effect.void
        }
      })
  }
}

class Failed extends Schema.TaggedError<Failed>()("Failed", {}) {}
class Later extends Schema.TaggedError<Later>()("Later", {}) {}

const program = (record: Record, script: Script, n: number, attempt: number): Effect.Effect<number, Failed | Later> => {
  const work = Effect.sleep(Duration.millis(script.work))
  switch (script.kind) {
    case "fail":
      return Effect.andThen(work, attempt <= script.failures ? Effect.fail(new Failed()) : Effect.succeed(n))
    case "die":
      return Effect.andThen(work, Effect.die("a defect"))
    case "hang":
      return Effect.never
    case "slow":
      return Effect.as(Effect.sleep("50 millis"), n)
    case "interrupts":
      return Effect.interrupt
    case "resists":
      return Effect.as(Effect.uninterruptible(Effect.sleep("2 seconds")), n)
    case "requeues":
      return attempt === 1 && script.failures > 0 && (record.attempts.get(n)?.length ?? 0) === 1
        ? Effect.fail(new Later())
        : Effect.succeed(n)
    default:
      return script.work === 0 ? Effect.succeed(n) : Effect.as(work, n)
  }
}

const hook = (world: World): Effect.Effect<Disposition.Disposition | void, Failed> => {
  switch (world.hook) {
    case "ack":
      return Effect.succeed(Disposition.ack)
    case "requeue":
      return Effect.succeed(Disposition.requeue("10 millis"))
    case "release":
      return Effect.succeed(Disposition.release)
    case "dead-letter":
      return Effect.succeed(Disposition.deadLetter("enough"))
    case "die":
      return Effect.die("the hook broke")
    case "fail":
      return Effect.fail(new Failed())
    default:
      return Effect.void
  }
}

const task = (world: World, record: Record) => {
  const base = Task.consumer("laws", Numbers, (transaction) =>
    Effect.suspend(() => {
      const { n } = transaction.payload
      const attempts = record.attempts.get(n) ?? []
      record.attempts.set(n, attempts)
      const attempt = attempts.push(n)
      record.active++
      record.peak = Math.max(record.peak, record.active)
      const { key } = world.scripts[n]!
      record.overlapping ||= (record.activeKeys.get(key) ?? 0) > 0
      record.activeKeys.set(key, (record.activeKeys.get(key) ?? 0) + 1)
      if (attempt === 1) record.firstStarts.set(key, [...record.firstStarts.get(key) ?? [], n])
      return Effect.ensuring(
        program(record, world.scripts[n]!, n, attempt),
        Effect.sync(() => {
          record.active--
          record.activeKeys.set(key, record.activeKeys.get(key)! - 1)
        })
      )
    })).pipe(
      Task.decide({ Failed: () => Decision.retry, Later: () => Decision.requeue("15 millis") }),
      Task.deadLetter(Dead),
      Task.policy({
        loop: {
          concurrency: world.concurrency,
          mode: world.mode,
          ordering: world.ordering ? "byKey" : "none",
          limit: world.limit < 0 ? undefined : world.limit
        },
        fetch: { batch: { size: world.batchSize } },
        process: {
          retry: { maxAttempts: world.maxAttempts, backoff: Duration.millis(world.backoff) },
          timeout: world.attemptTimeout === 0 ? undefined : Duration.millis(world.attemptTimeout)
        },
        transaction: { timeout: "1 second", maxDeliveries: 3 },
        settle: { timeout: "1 second" },
        shutdown: { grace: "100 millis", close: "3 seconds" }
      })
    )
  const withHook = world.hook === "none" ? base : base.pipe(Task.onFailure((failure) =>
    Effect.suspend(() => {
      const delivery = `${failure.transaction.id}, delivered ${failure.deliveries} times before`
      record.hooks.set(delivery, (record.hooks.get(delivery) ?? 0) + 1)
      return hook(world)
    })
  ))
  return world.sink
    ? withHook.pipe(Task.dispatch(Results, (transaction, n) => Transaction.make(transaction.id, n)))
    : withHook.pipe(Task.dispatch(Results, () => []))
}

const tracer = (record: Record) =>
  Layer.succeed(
    Tracer.Tracer,
    Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        record.spans.push(span)
        return span
      }
    })
  )

const runWorld = (world: World) =>
  Effect.gen(function*() {
    const record = new Record()
    const control = yield* Control.make
    const layers = Layer.mergeAll(
      Connector.layerSource(Numbers, Effect.sync(() => source(world, record))),
      Connector.layerSink(Results, Effect.sync(() => sink(world.dispatchFaults, record.confirmed))),
      Connector.layerDeadLetters(Dead, Effect.sync(() => sink(world.deadLetterFaults, record.dead)))
    )
    const run = Task.run(task(world, record), { control }).pipe(Effect.provide(layers))
    const fiber = yield* Effect.forkChild(world.traced ? Effect.provide(run, tracer(record)) : run)
    if (world.interruptAt >= 0) {
      yield* TestClock.adjust(Duration.millis(world.interruptAt))
      yield* Effect.forkChild(Fiber.interrupt(fiber))
    }
    let turns = 0
    while (fiber.pollUnsafe() === undefined && turns++ < 200) yield* TestClock.adjust("500 millis")
    // What resisted until the end, and was left behind.
    yield* TestClock.adjust("2 seconds")
    return { record, exit: fiber.pollUnsafe() }
  })

const check = (world: World) =>
  Effect.gen(function*() {
    const { exit, record } = yield* runWorld(world)
    assert.isDefined(exit, "the run ends")
    if (exit === undefined) return
    if (Exit.isFailure(exit)) assert.isTrue(Cause.hasInterruptsOnly(exit.cause), Cause.pretty(exit.cause))
    if (world.interruptAt < 0) assert.isTrue(Exit.isSuccess(exit), `the run succeeds: ${JSON.stringify(exit)}`)
    assert.isFalse(record.overAsked, "a fetch asks for what is left of the limit at most")
    assert.isAtMost(record.peak, world.concurrency, "concurrency stays within its bound")
    for (const [delivery, calls] of record.hooks) assert.strictEqual(calls, 1, `the hook runs once for ${delivery}`)
    if (world.ordering) {
      assert.isFalse(record.overlapping, "transactions of one key do not overlap")
      for (const [key, starts] of record.firstStarts) {
        assert.deepStrictEqual(starts, starts.toSorted((a, b) => a - b), `those of key ${key} start in their order`)
      }
    }
    for (const [receipt, settlements] of record.settled) {
      assert.isAtMost(settlements.length, 1, `delivery ${receipt} is settled at most once: ${settlements}`)
    }
    if (Exit.isSuccess(exit)) {
      const { deadLettered, discarded, failed, fetched, redelivered, released, requeued, succeeded, timeout } =
        exit.value
      assert.strictEqual(fetched, record.handed.length, "every delivery is counted")
      const ends = succeeded + failed + requeued + timeout + redelivered + released
      assert.strictEqual(ends, fetched, "every delivery has one outcome")
      assert.strictEqual(deadLettered + discarded, failed + timeout, "what was given up is dead-lettered or discarded")
      if (world.traced) checkOutcomes(record, exit.value)
    }
    const open = record.spans.filter((span) => span.status._tag !== "Ended").map(({ name }) => name)
    assert.deepStrictEqual(open, [], "every span is ended")
    if (world.settlement === "each") {
      // Nothing that was fetched is forgotten: it was settled, or its settlement failed and said so.
      const faults = world.settleFaults.filter((fault) => fault !== "none").length
      const open = record.handed.filter(({ receipt }) => (record.settled.get(receipt)?.length ?? 0) === 0)
      if (faults === 0) assert.deepStrictEqual(open, [], "everything fetched is settled")
      for (const { n, receipt } of record.handed) {
        if (record.settled.get(receipt)?.[0] !== "Ack") continue
        const gone = record.dead.has(String(n)) || world.hook === "ack"
        const results = world.sink ? record.confirmed.has(String(n)) : true
        assert.isTrue(gone || results, `delivery ${n} is acknowledged after its results or its letter were confirmed`)
      }
    } else {
      // A commit covers everything before it in its partition.
      for (const [partition, receipt] of record.committed) {
        for (const { n, receipt: earlier } of record.handed) {
          if (String(world.scripts[n]!.key) !== partition || earlier > receipt) continue
          const ended = record.dead.has(String(n)) || world.hook === "ack" || !world.sink ||
            record.confirmed.has(String(n))
          assert.isTrue(ended, `position ${receipt} of ${partition} is committed only after ${n} has ended`)
        }
      }
    }
  })

/** The spans tell the same as the summary. What was never started has none, and what is held in memory one each time. */
const checkOutcomes = (record: Record, summary: Outcome.Summary) => {
  const told = record.spans.filter(({ name }) => name === "transaction numbers")
    .map((span) => span.attributes.get("ergon.outcome"))
  const count = (kind: Outcome.Kind) => told.filter((outcome) => outcome === kind).length
  for (const kind of ["succeeded", "failed", "timeout"] as const) {
    assert.strictEqual(count(kind), summary[kind], `as many spans say ${kind}`)
  }
  assert.isAtMost(count("redelivered"), summary.redelivered, "no more spans say redelivered")
  assert.isAtLeast(count("requeued"), summary.requeued, "at least as many spans say requeued")
}

describe("every run", () => {
  it.effect.prop("settles each delivery once and forgets none", [World], ([world]) => check(world), {
    timeout: 120_000,
    arbitrary: { runs: 1500, size: 60 }
  })
})

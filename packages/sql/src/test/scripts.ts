/** Scripts of calls from two processes, and what must come of them: that of the model. */
import { Disposition, Transaction } from "@ergon/core"
import { assert } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, type Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type Database, Sql } from "../index.ts"
import { type Message, Model } from "./model.ts"
import { idOf, Items, openClosableOn, type Opened } from "./queues.ts"

const small = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
// Whole multiples of `poll`, so that the other process has always looked.
const tick = 100

const Step = Schema.Union([
  Schema.Struct({
    _tag: Schema.Literal("Enqueue"),
    // Few ids, so that they meet what is there.
    ids: Schema.Array(small(1, 12)).check(Schema.isMinLength(1), Schema.isMaxLength(6)),
    priority: small(-1, 1),
    delay: Schema.Literals([0, 0, 0, 3])
  }),
  Schema.Struct({ _tag: Schema.Literal("Fetch"), max: small(1, 5) }),
  Schema.Struct({
    _tag: Schema.Literal("Settle"),
    which: Schema.Array(small(0, 9)).check(Schema.isMinLength(1), Schema.isMaxLength(4)),
    as: Schema.Literals(["Ack", "Ack", "Requeue", "Later", "DeadLetter", "Release"])
  }),
  Schema.Struct({ _tag: Schema.Literal("Extend"), which: small(0, 9) }),
  Schema.Struct({ _tag: Schema.Literal("Resolve"), id: small(1, 12) }),
  Schema.Struct({ _tag: Schema.Literal("Redrive"), which: Schema.Union([small(1, 3), Schema.Array(small(1, 12))]) }),
  Schema.Struct({ _tag: Schema.Literal("Pass"), ticks: small(1, 12) }),
  Schema.Struct({ _tag: Schema.Literal("Reopen") })
])
export const Script = Schema.Array(Schema.Struct({ process: small(0, 1), step: Step })).check(
  Schema.isMinLength(10),
  Schema.isMaxLength(80)
)

/** An id whose retention is over is enqueued again between others: the batch keeps its order. */
export const again: typeof Script.Type = [
  { process: 0, step: { _tag: "Enqueue", ids: [9], priority: 0, delay: 0 } },
  { process: 0, step: { _tag: "Fetch", max: 1 } },
  { process: 0, step: { _tag: "Settle", which: [0], as: "Ack" } },
  { process: 1, step: { _tag: "Pass", ticks: 12 } },
  { process: 1, step: { _tag: "Pass", ticks: 6 } },
  // Of one key: 5, 9 and 1.
  { process: 1, step: { _tag: "Enqueue", ids: [5, 9, 10, 1, 5], priority: -1, delay: 0 } },
  { process: 0, step: { _tag: "Fetch", max: 1 } },
  { process: 0, step: { _tag: "Settle", which: [0], as: "Ack" } },
  { process: 1, step: { _tag: "Fetch", max: 3 } }
]

/** A dead letter that is named twice is one. */
export const namedTwice: typeof Script.Type = [
  { process: 0, step: { _tag: "Enqueue", ids: [9], priority: 0, delay: 0 } },
  { process: 1, step: { _tag: "Fetch", max: 1 } },
  { process: 1, step: { _tag: "Settle", which: [0], as: "DeadLetter" } },
  { process: 0, step: { _tag: "Redrive", which: [9, 9] } }
]

const dispositions = {
  Ack: Disposition.ack,
  Requeue: Disposition.requeue(),
  Later: Disposition.requeue(Duration.millis(4 * tick)),
  DeadLetter: Disposition.deadLetter("no stock"),
  Release: Disposition.release
}

const lease = 10 * tick
const retention = 15 * tick

/** Every id belongs to one key of three, or to none. */
const keyOf = (id: string) => Number(id) % 4 === 0 ? undefined : `key-${Number(id) % 4}`

const shape = (messages: ReadonlyArray<Message>) => messages.map(({ deliveries, id }) => ({ id, deliveries }))

/** Of a database in which nobody else has a queue yet. */
export const check = <E>(
  database: Layer.Layer<Database.Database, E>,
  keyed: boolean,
  script: typeof Script.Type
) =>
  Effect.gen(function*() {
    let enqueued = { priority: 0, delay: 0 }
    const connect = openClosableOn(database, {
      lease,
      retention,
      poll: tick,
      priority: () => enqueued.priority,
      delay: () => enqueued.delay,
      key: keyed ? ({ id }) => keyOf(id) : undefined
    })
    const processes: Array<Effect.Success<typeof connect>> = [yield* connect, yield* connect]
    const model = new Model<Opened["source"]>({ lease, retention, keyOf: keyed ? keyOf : () => undefined })
    let payload = 0

    for (const { process, step } of script) {
      const now = yield* Clock.currentTimeMillis
      const queue = processes[process]!
      const { scope, source } = queue
      switch (step._tag) {
        case "Enqueue": {
          enqueued = { priority: step.priority, delay: step.delay * tick }
          const transactions = step.ids.map((id) => Transaction.make(`${id}`, ++payload))
          yield* queue.send(...transactions)
          for (const { id, payload } of transactions) model.enqueue(now, { ...enqueued, id, payload })
          break
        }
        case "Fetch": {
          const deliveries = yield* queue.fetch(step.max)
          const expected = model.claim(now, step.max, source, deliveries)
          assert.deepStrictEqual(
            deliveries.map(({ deliveries, transaction: { id, payload } }) => ({ id, deliveries, payload })),
            expected.map(({ deliveries, id, payload }) => ({ id, deliveries, payload }))
          )
          break
        }
        case "Settle": {
          const held = model.held.filter((one) => one.by === source)
          const chosen = [...new Set(step.which)].flatMap((which) => held[which] ?? [])
          const disposition = dispositions[step.as]
          const lost = model.settle(
            now,
            chosen,
            step.as,
            Duration.toMillis(
              disposition._tag === "Requeue" ? disposition.delay : Duration.zero
            )
          )
          const settlements = chosen.map(({ delivery }) => Disposition.settlement(delivery, disposition))
          const failed = yield* source.settle(settlements).pipe(
            Effect.as([]),
            Effect.catch((error) => Effect.succeed(error.failed?.map(({ index }) => index)))
          )
          assert.sameMembers([...failed ?? []], [...lost])
          break
        }
        case "Extend": {
          const one = model.held.filter((one) => one.by === source)[step.which]
          if (one === undefined) break
          assert.deepStrictEqual(yield* source.extend!([one.delivery]), model.extend(now, one) ? [] : [0])
          break
        }
        case "Resolve": {
          const delivery = yield* Effect.option(source.resolve!(`${step.id}`))
          const expected = model.claimId(
            now,
            `${step.id}`,
            source,
            delivery._tag === "Some" ? delivery.value : undefined
          )
          assert.strictEqual(delivery._tag === "Some" ? idOf(delivery.value) : undefined, expected?.id)
          break
        }
        case "Redrive": {
          const which = typeof step.which === "number"
            ? { limit: step.which }
            : { ids: step.which.map((id) => `${id}`) }
          const count = yield* Sql.redrive(Items, which).pipe(Effect.provide(queue.context))
          assert.strictEqual(count, model.redrive(now, which))
          break
        }
        case "Pass":
          yield* TestClock.adjust(step.ticks * tick)
          break
        case "Reopen":
          yield* Scope.close(scope, Exit.void)
          model.close(now, source)
          processes[process] = yield* connect
          break
      }
      const at = yield* Clock.currentTimeMillis
      for (const { count } of processes) assert.deepStrictEqual(yield* count, model.count(at))
      for (const { delivery, by } of model.held) assert.isTrue(by.isHeld!(delivery))
    }

    // Nothing is lost: whatever came before, all that lives comes out, each key in its order.
    yield* Effect.forEach(processes, ({ scope, source }) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        model.close(now, source)
        return Scope.close(scope, Exit.void)
      }))
    const last = yield* connect
    yield* TestClock.adjust(100 * tick)
    for (;;) {
      const now = yield* Clock.currentTimeMillis
      const deliveries = yield* last.fetch(3)
      const expected = model.claim(now, 3, last.source, deliveries)
      assert.deepStrictEqual(
        deliveries.map(({ deliveries, transaction: { id } }) => ({ id, deliveries })),
        shape(expected)
      )
      if (deliveries.length === 0) break
      model.settle(now, model.held, "Ack", 0)
      yield* last.source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
    }
    assert.deepStrictEqual(yield* last.count, { ready: 0, inFlight: 0, delayed: 0 })
  }).pipe(Effect.scoped)

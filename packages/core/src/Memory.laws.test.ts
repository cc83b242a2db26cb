import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Disposition from "./Disposition.ts"
import { makeStore } from "./internal/conformance/harnesses.ts"
import { connect, type MemoryQueue } from "./internal/memory/connect.ts"
import { type Delivery, Transaction } from "./index.ts"

const Step = Schema.Union([
  Schema.Struct({
    _tag: Schema.Literal("Offer"),
    count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 }))
  }),
  Schema.Struct({ _tag: Schema.Literal("Fetch"), max: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })) }),
  Schema.Struct({
    _tag: Schema.Literal("Settle"),
    which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })),
    as: Schema.Literals(["Ack", "Requeue", "Later", "DeadLetter", "Release"])
  }),
  Schema.Struct({
    _tag: Schema.Literal("Extend"),
    which: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
  }),
  Schema.Struct({
    _tag: Schema.Literal("Pass"),
    seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))
  }),
  Schema.Struct({ _tag: Schema.Literal("Reopen") })
])

const Script = Schema.Array(Step).check(Schema.isMinLength(5), Schema.isMaxLength(60))

const dispositions = {
  Ack: Disposition.ack,
  Requeue: Disposition.requeue(),
  Later: Disposition.requeue("20 seconds"),
  DeadLetter: Disposition.deadLetter("no stock"),
  Release: Disposition.release
}

const lease = 30_000

/** What a hand-over is, by the clock alone: the model that the queue is held against. */
interface Held {
  readonly delivery: Delivery.Delivery
  until: number
  settled: boolean
}

describe("a queue in memory, under any script of calls and any passing of time", () => {
  it.effect.prop(
    "keeps each transaction in exactly one place and settles only what is held",
    [Script],
    ([script]) =>
      Effect.gen(function*() {
        const store = yield* makeStore(lease)
        const open = Effect.gen(function*() {
          const scope = yield* Scope.make()
          const queue: MemoryQueue = yield* Scope.provide(connect(store), scope)
          return { ...queue, scope }
        })
        let connection = yield* open
        let offered = 0
        let held: Array<Held> = []
        for (const step of script) {
          const now = yield* Clock.currentTimeMillis
          const live = ({ settled, until }: Held) => !settled && until > now
          switch (step._tag) {
            case "Offer":
              yield* connection.sink.dispatch(
                Array.from({ length: step.count }, () => Transaction.make(`t-${++offered}`, offered))
              )
              break
            case "Fetch": {
              const { ready } = store.count()
              const deliveries = yield* connection.source.fetch({ max: step.max, wait: Duration.zero })
              assert.strictEqual(deliveries.length, Math.min(step.max, ready))
              for (const delivery of deliveries) {
                const same = held.filter((other) => other.delivery.transaction.id === delivery.transaction.id)
                assert.isFalse(same.some(live), `${delivery.transaction.id} is handed over while it is held`)
                held.push({ delivery, until: now + lease, settled: false })
              }
              break
            }
            case "Settle": {
              const handover = held[step.which]
              if (handover === undefined) break
              const settlement = Disposition.settlement(handover.delivery, dispositions[step.as])
              const exit = yield* Effect.exit(connection.source.settle([settlement]))
              assert.strictEqual(Exit.isSuccess(exit), handover.settled || live(handover))
              if (live(handover)) handover.settled = true
              break
            }
            case "Extend": {
              const handover = held[step.which]
              if (handover === undefined) break
              const lost = yield* connection.source.extend?.([handover.delivery]) ?? Effect.succeed([])
              assert.deepStrictEqual([...lost], live(handover) ? [] : [0])
              if (live(handover)) handover.until = now + lease
              break
            }
            case "Pass":
              yield* TestClock.adjust(`${step.seconds} seconds`)
              break
            case "Reopen":
              yield* Scope.close(connection.scope, Exit.void)
              connection = yield* open
              held = held.map((handover) => ({ ...handover, until: handover.settled ? handover.until : 0 }))
              break
          }
          const after = yield* Clock.currentTimeMillis
          const contents = store.contents()
          const places = [
            ...[contents.ready, contents.inFlight, contents.delayed].flat().map(({ id }) => id),
            ...contents.acked,
            ...contents.deadLetters.map(({ transaction }) => transaction.id)
          ]
          assert.deepStrictEqual(
            places.toSorted(),
            Array.from({ length: offered }, (_, index) => `t-${index + 1}`).toSorted()
          )
          const inFlight = held.filter(({ settled, until }) => !settled && until > after)
          assert.deepStrictEqual(
            contents.inFlight.map(({ id }) => id).toSorted(),
            inFlight.map(({ delivery }) => delivery.transaction.id).toSorted()
          )
          for (const { delivery, settled, until } of held) {
            assert.strictEqual(connection.source.isHeld?.(delivery), !settled && until > after)
          }
        }
      })
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Connector, Decision, Outline, Task, Transaction } from "@ergon/core"
import { Effect, Schema } from "effect"
import { planText } from "./text.ts"

class Order extends Schema.Class<Order>("Order")({ quantity: Schema.Int }) {}
class Receipt extends Schema.Class<Receipt>("Receipt")({ total: Schema.Int }) {}
class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Receipt) {}
class Dead extends Connector.DeadLetters<Dead>()("dead-orders") {}
class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}

const consumer = Task.consumer("order-processor", Orders, (): Effect.Effect<number, Busy> => Effect.fail(new Busy()))
  .pipe(
    Task.dispatch(Receipts, ({ id }, total) => Transaction.make(id, new Receipt({ total }))),
    Task.onFailure(() => Effect.void),
    Task.deadLetter(Dead),
    Task.decide({ Busy: Decision.retry }),
    Task.policy({
      loop: { concurrency: 5, streaming: true },
      process: { retry: { maxAttempts: 3, backoff: "1 second", multiplier: 2 } }
    })
  )

const lines = (text: string): ReadonlyArray<string> => text.split("\n")

describe("the plan", () => {
  it("of a consumer", () => {
    const outline = Outline.of(consumer, {
      environment: { process: { timeout: "5 seconds" } },
      flags: { loop: { limit: 100 } },
      flagOf: () => "--limit"
    })
    assert.deepStrictEqual(lines(planText(outline, false)), [
      "order-processor (consumer)",
      "  orders -> decode -> process -> dispatch to receipts -> settle",
      "",
      "STEPS",
      "  decode        Order",
      "  process       the program, 3 attempts of at most 5 seconds each, as its",
      "                decisions say",
      "                at most 1m: transaction.timeout",
      "  dispatch      to receipts, until confirmed",
      "                at most 1m: transaction.timeout",
      "  exception     onFailure, 1 attempt of at most 30 seconds; unless it says",
      "                otherwise, dead letter to dead-orders",
      "                at most 1m 30s: exception.timeout + 2 x exception.timeout",
      "  settle        at orders, tried again until it answers",
      "                at most 2m: transaction.timeout + 2 x settle.timeout",
      "  sinks         receipts (Receipt)",
      "  dead letters  to dead-orders",
      "  order         none: transactions run side by side, as slots come free",
      "  errors        decide what becomes of a transaction (Task.decide)",
      "",
      "GUARANTEE",
      "  at-least-once; a transaction is acknowledged only after its results are",
      "  confirmed at every sink. Make processing idempotent.",
      "",
      "WORST CASE",
      "  work                  1m            transaction.timeout",
      "  transaction           4m 30s        work + exception + settle",
      "  its deliveries        1h 37m 30s    (transaction.maxDeliveries + 1) x",
      "                                      transaction + dead letter + settle",
      "  first delivery        37s           fetch.empty.cap + fetch.timeout",
      "  drain                 40s           shutdown.grace + shutdown.close",
      "",
      "POLICY",
      "  loop.concurrency           5             code (default 1)",
      "  loop.streaming             true          code (default false)",
      "  loop.limit                 100           --limit (default none)",
      "  process.retry.maxAttempts  3             code (default 1)",
      "  process.retry.backoff      1 second      code (default 0 seconds)",
      "  process.retry.multiplier   2             code (default 1)",
      "  process.timeout            5 seconds",
      "      ERGON_ORDER_PROCESSOR_PROCESS_TIMEOUT (default none)",
      "  the other 53 fields have their defaults: --all shows them"
    ])
  })

  it("of a producer", () => {
    const outline = Outline.of(Task.producer("imports", [Transaction.make("1", 1)], () => Effect.void))
    assert.deepStrictEqual(lines(planText(outline, false)), [
      "imports (producer)",
      "  the stream of imports -> process",
      "",
      "STEPS",
      "  process       the program, 1 attempt",
      "                at most 1m: transaction.timeout",
      "  exception     given up: the run fails and names it",
      "  dead letters  none: what fails for good fails the run, which names it",
      "  order         none: transactions run side by side, as slots come free",
      "",
      "GUARANTEE",
      "  at-least-once at every sink for as long as the run lives; how far it has come",
      "  is kept in memory only, so that the next run begins anew. Make ids follow from",
      "  the input.",
      "",
      "WORST CASE",
      "  work                  1m            transaction.timeout",
      "  transaction           1m            work",
      "  its deliveries        21m           (transaction.maxDeliveries + 1) x",
      "                                      transaction",
      "  drain                 40s           shutdown.grace + shutdown.close",
      "",
      "POLICY",
      "  all fields have their defaults: --all shows them"
    ])
  })

  it("of a program", () => {
    const sweep = Task.make("sweep", Effect.void).pipe(Task.policy({ shutdown: { grace: "5 seconds" } }))
    assert.deepStrictEqual(lines(planText(Outline.of(sweep), true)), [
      "sweep (program)",
      "  a program: it has no transactions",
      "",
      "GUARANTEE",
      "  none of ours: a program has no transactions, and what it does is its own.",
      "",
      "WORST CASE",
      "  drain                 15s           shutdown.grace + shutdown.close",
      "",
      "POLICY",
      "  shutdown.grace                      5 seconds     code (default 30 seconds)",
      "  shutdown.close                      10 seconds    default",
      "  supervision.check                   10 seconds    default",
      "  supervision.startGrace              1 minute      default",
      "  supervision.unhealthyGrace          30 seconds    default",
      "  supervision.thresholds.fetch        37 seconds",
      "      from fetch.timeout + fetch.empty.cap",
      "  supervision.thresholds.transaction  150 seconds",
      "      from transaction.timeout + all tries of exception + 2 x exception.timeout"
    ])
  })

  it("says what has no bound, and what the run would be refused for", () => {
    const outline = Outline.of(consumer, {
      flags: { process: { retry: { maxAttempts: 1 } }, transaction: { timeout: null } }
    })
    const text = lines(planText(outline, false))
    assert.include(text, "                no bound: process.timeout or transaction.timeout would be one")
    assert.include(text, "  transaction           no bound      transaction.timeout would be one")
    assert.deepStrictEqual(text.slice(-3), [
      "PROBLEMS",
      "  - Task.decide says retry, but process.retry.maxAttempts is 1: valid is 2 or",
      "    more"
    ])
  })

  it("fits 80 columns, with every field shown, as far as one word does", () => {
    for (const all of [true, false]) {
      for (const line of lines(planText(Outline.of(consumer), all))) assert.isAtMost(line.length, 80, line)
    }
  })

  it("shows all fields once, those that are set first", () => {
    const text = planText(Outline.of(consumer), true)
    const paths = lines(text.slice(text.indexOf("POLICY"))).slice(1).flatMap((line) =>
      /^ {2}(\S+)/.exec(line)?.[1] ?? []
    )
    const fields = Outline.of(consumer).policy.map(({ path }) => path)
    assert.deepStrictEqual(paths.toSorted(), fields.toSorted())
    const set = ["loop.concurrency", "loop.streaming", "process.retry.maxAttempts"]
    assert.deepStrictEqual(paths.slice(0, set.length), set)
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { Connector, Decision, Outline, Policy, Task, Transaction } from "./index.ts"

class Order extends Schema.Class<Order>("Order")({ quantity: Schema.Int }) {}
class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Int) {}
class Audit extends Connector.Sink<Audit>()("audit", Schema.Struct({ id: Schema.String })) {}
class Dead extends Connector.DeadLetters<Dead>()("dead-orders") {}
class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}

const busy = (): Effect.Effect<number, Busy> => Effect.fail(new Busy())
const plain = Task.consumer("order-processor", Orders, busy)
const full = plain.pipe(
  Task.dispatch(Receipts, ({ id }, n) => Transaction.make(id, n)),
  Task.dispatch(Audit, ({ id }) => Transaction.make(id, { id })),
  Task.onSuccess(() => Effect.void),
  Task.onFailure(() => Effect.void),
  Task.deadLetter(Dead),
  Task.decide({ Busy: () => Decision.retry }),
  Task.policy({ process: { retry: { maxAttempts: 3, backoff: "1 second" }, timeout: "2 seconds" } })
)
const imports = Task.producer("imports", [Transaction.make("1", 1)], () => Effect.void)
const program = Task.make("sweep", Effect.die("an outline runs nothing"))

const field = (outline: Outline.Outline, path: string): Outline.Field => {
  const found = outline.policy.find((field) => field.path === path)
  if (found === undefined) throw new Error(`no field ${path}`)
  return found
}

const valueAndOrigin = (outline: Outline.Outline, path: string) => {
  const { origin, value } = field(outline, path)
  return [value, origin]
}

describe("the outline of a consumer", () => {
  const outline = Outline.of(full)

  it("names what it reads, sends and keeps", () => {
    assert.strictEqual(outline.name, "order-processor")
    assert.strictEqual(outline.kind, "consumer")
    assert.deepStrictEqual(outline.source, { id: "orders", payload: "Order" })
    assert.deepStrictEqual(outline.sinks, [{ id: "receipts", payload: undefined }, { id: "audit", payload: undefined }])
    assert.deepStrictEqual(outline.deadLetters, { _tag: "sink", id: "dead-orders" })
    assert.isTrue(outline.decides)
    assert.include(
      outline.guarantee,
      "at-least-once; a transaction is acknowledged only after its results are confirmed"
    )
    assert.deepStrictEqual(outline.problems, [])
  })

  it("tells its steps in their order, with what they run", () => {
    assert.deepStrictEqual(outline.steps.map(({ name, runs }) => [name, runs]), [
      ["decode", "Order"],
      ["process", "the program, 3 attempts of at most 2 seconds each, as its decisions say"],
      ["dispatch", "to receipts, audit, until confirmed"],
      ["success", "onSuccess, 1 attempt"],
      ["exception", "onFailure, 1 attempt of at most 30 seconds; unless it says otherwise, dead letter to dead-orders"],
      ["settle", "at orders, tried again until it answers"]
    ])
  })

  it("leaves out the steps that it does not have", () => {
    const { deadLetters, decides, steps } = Outline.of(plain)
    assert.deepStrictEqual(steps.map(({ name, runs }) => [name, runs]), [
      ["decode", "Order"],
      ["process", "the program, 1 attempt"],
      ["exception", "dead letter at orders"],
      ["settle", "at orders, tried again until it answers"]
    ])
    assert.deepStrictEqual([deadLetters, decides], [{ _tag: "source" }, false])
    assert.deepStrictEqual(Outline.of(plain.pipe(Task.discardFailures)).deadLetters, { _tag: "discarded" })
  })

  it("says by which key it keeps an order", () => {
    const ordered = (task: Task.Any<unknown, unknown>) => Outline.of(task).ordering
    assert.strictEqual(ordered(plain), "none")
    assert.strictEqual(ordered(plain.pipe(Task.policy({ loop: { ordering: "byKey" } }))), "bySource")
    assert.strictEqual(ordered(plain.pipe(Task.orderBy(({ id }) => id))), "byTask")
  })
})

describe("the outline of a producer and of a program", () => {
  it("has no source to decode from and to settle at", () => {
    const outline = Outline.of(imports)
    assert.strictEqual(outline.kind, "producer")
    assert.isUndefined(outline.source)
    assert.deepStrictEqual(outline.steps.map(({ name }) => name), ["process", "exception"])
    assert.deepStrictEqual(outline.deadLetters, { _tag: "none" })
    assert.isUndefined(outline.worstCase.firstDelivery)
    assert.deepStrictEqual(valueAndOrigin(outline, "loop.mode"), [
      "batch",
      { _tag: "derived", from: "a producer works batch by batch" }
    ])
    assert.strictEqual(field(outline, "fetch.timeout").value, "none")
    assert.strictEqual(field(outline, "supervision.thresholds.fetch").value, "none")
  })

  it("says what its stream is bounded by when that is set", () => {
    const outline = Outline.of(imports, { environment: { fetch: { timeout: "40 seconds" } } })
    const variable = { _tag: "environment", name: "ERGON_IMPORTS_FETCH_TIMEOUT" } as const
    assert.deepStrictEqual(valueAndOrigin(outline, "fetch.timeout"), ["40 seconds", variable])
    assert.strictEqual(field(outline, "supervision.thresholds.fetch").value, "45 seconds")
  })

  it("runs nothing of a program, and tells what the runner reads of its policy", () => {
    const outline = Outline.of(program.pipe(Task.policy({ shutdown: { grace: "5 seconds" } })))
    assert.deepStrictEqual([outline.kind, outline.steps, outline.worstCase.transaction], ["program", [], undefined])
    assert.deepStrictEqual(Array.from(new Set(outline.policy.map(({ path }) => path.split(".")[0]))), [
      "shutdown",
      "supervision"
    ])
    assert.strictEqual(Duration.toSeconds(outline.worstCase.drain.time), 15)
  })
})

describe("the policy in an outline", () => {
  it("is all fields, in the order of the reference", () => {
    assert.deepStrictEqual(Outline.of(plain).policy.map(({ path }) => path), Policy.fields.map(({ path }) => path))
  })

  it("says where each value comes from: flags beat the environment, and that beats the code", () => {
    const task = plain.pipe(Task.policy({ loop: { concurrency: 2, limit: 10 }, fetch: { wait: "1 second" } }))
    const outline = Outline.of(task, {
      environment: { loop: { concurrency: 4, limit: null }, process: { timeout: "3 seconds" } },
      flags: { loop: { concurrency: 8, streaming: undefined } },
      flagOf: (path) => `--${path.replaceAll(".", "-")}`
    })
    assert.deepStrictEqual(valueAndOrigin(outline, "loop.concurrency"), [
      "8",
      { _tag: "flag", name: "--loop-concurrency" }
    ])
    assert.deepStrictEqual(valueAndOrigin(outline, "loop.limit"), [
      "none",
      { _tag: "environment", name: "ERGON_ORDER_PROCESSOR_LOOP_LIMIT" }
    ])
    assert.deepStrictEqual(valueAndOrigin(outline, "fetch.wait"), ["1 second", { _tag: "code" }])
    assert.deepStrictEqual(valueAndOrigin(outline, "fetch.timeout"), [
      "31 seconds",
      { _tag: "derived", from: "fetch.wait + 30 seconds" }
    ])
    assert.deepStrictEqual(valueAndOrigin(outline, "fetch.batch.size"), [
      "32",
      { _tag: "derived", from: "4 times loop.concurrency, in batch mode once" }
    ])
    assert.deepStrictEqual(valueAndOrigin(outline, "loop.streaming"), ["false", { _tag: "default" }])
    assert.deepStrictEqual(valueAndOrigin(outline, "loop.rate"), ["none", { _tag: "default" }])
    assert.strictEqual(field(outline, "process.timeout").default, "none")
  })

  it("has values that read back as the same policy", () => {
    const task = plain.pipe(Task.policy({ loop: { rate: "5/second" }, process: { retry: { multiplier: 1.5 } } }))
    const given = Object.fromEntries(Outline.of(task).policy.map(({ path, value }) => [path, value]))
    const input = Effect.runSync(Policy.fromStrings(given))
    const batch = { size: undefined, interval: Duration.zero }
    assert.deepStrictEqual(
      Policy.make({ ...input, fetch: { ...input.fetch, batch } }),
      Policy.make({ loop: { rate: "5/second" }, process: { retry: { multiplier: 1.5 } } })
    )
  })

  it("names what contradicts, and tells the rest", () => {
    const decided = plain.pipe(
      Task.policy({ process: { retry: { maxAttempts: 2 } } }),
      Task.decide({ Busy: Decision.retry })
    )
    const outline = Outline.of(decided, {
      environment: { process: { retry: { maxAttempts: 1 } } },
      flags: { fetch: { wait: "40 seconds", timeout: "30 seconds" } }
    })
    assert.deepStrictEqual(outline.problems, [
      "fetch.timeout: 30 seconds is not valid; expected more than fetch.wait, which is 40 seconds",
      "Task.decide says retry, but process.retry.maxAttempts is 1: valid is 2 or more"
    ])
    assert.strictEqual(field(outline, "fetch.timeout").value, "30 seconds")
  })

  it("throws where a value is not valid", () => {
    assert.throws(() => Outline.of(plain, { flags: { loop: { concurrency: 0 } } }), Policy.PolicyError)
  })
})

describe("the worst case", () => {
  const { steps, worstCase: { deliveries, transaction, work } } = Outline.of(full)

  it("is a sum of fields", () => {
    assert.strictEqual(work?.formula, "transaction.timeout")
    assert.strictEqual(transaction?.formula, "work + exception + settle")
    assert.strictEqual(deliveries?.formula, "(transaction.maxDeliveries + 1) x transaction + dead letter + settle")
    const formulas = steps.map(({ name, worst }) => [name, worst?.formula])
    assert.deepStrictEqual(Object.fromEntries(formulas), {
      decode: undefined,
      process: "transaction.timeout",
      dispatch: "transaction.timeout",
      success: "transaction.timeout",
      exception: "exception.timeout + 2 x exception.timeout",
      settle: "transaction.timeout + 2 x settle.timeout"
    })
    assert.strictEqual(transaction && Duration.toSeconds(transaction.time), 60 + 30 + 60 + 60 + 60)
  })

  it("names what would bound it", () => {
    const bounds = Outline.of(full, { flags: { transaction: { timeout: null } } })
    const missing = (name: Outline.Step["name"]) => bounds.steps.find((step) => step.name === name)?.worst?.missing
    assert.deepStrictEqual(missing("process"), ["transaction.timeout"])
    assert.deepStrictEqual(missing("dispatch"), ["transaction.timeout"])
    assert.deepStrictEqual(missing("success"), ["success.timeout", "transaction.timeout"])
    assert.deepStrictEqual(missing("exception"), [])
    assert.deepStrictEqual(missing("settle"), ["transaction.timeout"])
    assert.deepStrictEqual(bounds.worstCase.transaction?.missing, ["transaction.timeout"])
    const undecided = Outline.of(plain, { flags: { transaction: { timeout: null } } })
    assert.deepStrictEqual(undecided.steps[1]?.worst?.missing, ["process.timeout", "transaction.timeout"])
  })

  it("does not add up a retry without an end one by one", () => {
    const retry = { maxAttempts: 1e9, backoff: "1 millis", multiplier: 1.01, cap: "1 second" } as const
    const outline = Outline.of(plain, {
      flags: { process: { retry, timeout: "1 second" }, transaction: { timeout: null } }
    })
    const process = outline.steps.find(({ name }) => name === "process")?.worst
    assert.isAbove(Duration.toSeconds(process!.time), 1.9e9)
    assert.isBelow(Duration.toSeconds(process!.time), 2e9)
  })
})

describe("an outline as JSON", () => {
  it("keeps everything, with text for durations and null for none", () => {
    const json = Outline.toJson(Outline.of(full, { flags: { transaction: { timeout: null } } }))
    assert.deepStrictEqual(JSON.parse(JSON.stringify(json)), json)
    const { worstCase } = json as { readonly worstCase: Record<string, unknown> }
    assert.deepStrictEqual(worstCase["work"], {
      time: null,
      formula: "transaction.timeout",
      missing: ["transaction.timeout"]
    })
    assert.deepStrictEqual(worstCase["drain"], {
      time: "40 seconds",
      formula: "shutdown.grace + shutdown.close",
      missing: []
    })
    assert.isNull(worstCase["firstDelivery"])
    assert.isNull(Outline.toJson(Outline.of(program))["source"])
  })
})

describe("an outline as a flowchart", () => {
  it("shows the source, the steps, their retries, the sinks and the dead letters", () => {
    assert.strictEqual(
      Outline.toMermaid(Outline.of(full)),
      [
        "flowchart LR",
        `  source(["orders<br/>Order"])`,
        `  decode["decode<br/>Order"]`,
        `  process["process<br/>the program, 3 attempts of at most 2 seconds each, as its decisions say"]`,
        `  dispatch["dispatch<br/>to receipts, audit, until confirmed"]`,
        `  success["success<br/>onSuccess, 1 attempt"]`,
        `  exception["exception<br/>onFailure, 1 attempt of at most 30 seconds#59; unless it says otherwise, dead letter to dead-orders"]`,
        `  settle["settle<br/>at orders, tried again until it answers"]`,
        `  sink0[("receipts")]`,
        `  sink1[("audit")]`,
        "  source --> decode --> process --> dispatch --> success --> settle",
        "  process -. again .-> process",
        "  dispatch -. again .-> dispatch",
        "  dispatch --> sink0",
        "  dispatch --> sink1",
        "  decode -. fails .-> exception",
        "  process -. fails .-> exception",
        "  dispatch -. fails .-> exception",
        "  success -. fails .-> exception",
        `  dead[("dead-orders<br/>dead letters")]`,
        "  exception --> dead",
        "  exception --> settle",
        "  settle -- settled --> source"
      ].join("\n")
    )
  })

  it("has a shape for every kind of task and every end of a failure", () => {
    const chart = (task: Task.Any<unknown, unknown>) => Outline.toMermaid(Outline.of(task))
    assert.include(chart(plain), "settle -. dead letter .-> dead")
    assert.include(chart(plain.pipe(Task.discardFailures)), "exception --> dropped")
    assert.include(chart(imports), "exception --> failed")
    assert.strictEqual(chart(program), `flowchart LR\n  program["sweep<br/>a program"]`)
  })

  it("escapes what could mean something to Mermaid", () => {
    class Odd extends Connector.Source<Odd>()(`a "queue"]; <b>\n# end`, Schema.Int) {}
    const chart = Outline.toMermaid(Outline.of(Task.consumer("odd", Odd, () => Effect.void)))
    assert.include(chart, `source(["a #34;queue#34;#93;#59; #60;b#62; #35; end"])`)
  })
})

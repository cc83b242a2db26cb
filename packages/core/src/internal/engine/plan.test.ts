import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Schema, SchemaGetter, Stream } from "effect"
import type { Commit, Format, SinkService, SourceService } from "../../Connector.ts"
import * as Connector from "../../Connector.ts"
import { DeadLetter } from "../../DeadLetter.ts"
import * as Policy from "../../Policy.ts"
import * as Transaction from "../../Transaction.ts"
import type { Definition } from "../definition.ts"
import * as Plan from "./plan.ts"

const Order = Schema.Struct({ quantity: Schema.Int, at: Schema.Date })

class Orders extends Connector.Source<Orders>()("orders", Order) {}
class Receipts extends Connector.Sink<Receipts>()("receipts", Order) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const source = (format: Format = "json", commit?: Commit): SourceService => ({
  format,
  capabilities: {
    settlement: "each",
    lease: undefined,
    deliveries: "native",
    requeueDelay: "native",
    deadLetter: "native",
    ordering: "none"
  },
  fetch: () => Effect.succeed([]),
  settle: () => Effect.void,
  ...(commit === undefined ? {} : { commit })
})

const sink = (format: Format, database?: object): SinkService => ({
  format,
  dispatch: () => Effect.void,
  ...(database === undefined ? {} : { database })
})

const definition: Definition = {
  name: "task",
  from: { _tag: "source", key: Orders as never },
  process: () => Effect.void,
  sinks: [],
  onSuccess: undefined,
  onFailure: undefined,
  deadLetter: undefined,
  decide: undefined,
  decidesRetry: false,
  orderBy: undefined,
  policy: {},
  layers: []
}

const toReceipts = { key: Receipts as never, outputs: () => [] }
const ofStream = { _tag: "stream", stream: Stream.empty } as const

const plan = (changes: Partial<Definition> = {}, input: Partial<Plan.PlanInput> = {}): Plan.Plan => {
  const changed = { ...definition, ...changes }
  return Plan.make({
    definition: changed,
    policy: Policy.make(changed.policy),
    source: source(),
    sourceId: "orders",
    sinks: [],
    deadLetters: undefined,
    context: Context.empty(),
    prepared: undefined,
    single: false,
    ...input
  })
}

const letter = (payload: unknown): DeadLetter =>
  new DeadLetter({
    id: "1",
    payload,
    metadata: {},
    reason: "no",
    step: "process",
    category: "business",
    error: { tag: "No", message: "no" },
    attempts: 1,
    deliveries: 0,
    task: "task",
    source: "orders",
    failedAt: "1970-01-01T00:00:00.000Z"
  })

describe("the plan of a task", () => {
  it("a default is what the policy says, in milliseconds, with Infinity for no bound", () => {
    const { close, concurrency, deadline, dispatch, exception, fetch, grace, limit, loopTimeout, process, settle } =
      plan()
    assert.deepInclude(process, { maxAttempts: 1, timeout: Infinity })
    assert.deepInclude(dispatch, { maxAttempts: 1, timeout: Infinity })
    assert.deepInclude(exception, { maxAttempts: 1, timeout: 30_000 })
    assert.deepInclude(settle, { maxAttempts: 1, timeout: 30_000 })
    assert.deepInclude(fetch, { batchSize: undefined, prefetch: "auto", timeout: 32_000 })
    assert.deepStrictEqual([concurrency, limit, loopTimeout], [1, Infinity, Infinity])
    assert.deepStrictEqual([deadline, grace, close], [60_000, 30_000, 10_000])
  })

  it("what is set is what the engine gets", () => {
    const made = plan({
      policy: {
        loop: {
          concurrency: 4,
          limit: 7,
          timeout: "1 minute",
          mode: "batch",
          rate: { limit: 3, interval: "1 second" }
        },
        fetch: { batch: { size: 9, interval: "2 seconds" }, timeout: "3 seconds" },
        success: { timeout: "4 seconds" },
        transaction: { timeout: "5 seconds", maxDeliveries: 6 },
        shutdown: { grace: "7 seconds", close: "8 seconds" }
      },
      onSuccess: () => Effect.void
    })
    assert.deepInclude(made, {
      mode: "batch",
      concurrency: 4,
      limit: 7,
      loopTimeout: 60_000,
      rate: { limit: 3, interval: 1000 },
      deadline: 5000,
      settleBudget: 5000,
      maxDeliveries: 6,
      grace: 7000,
      close: 8000
    })
    assert.deepInclude(made.fetch, { batchSize: 9, interval: 2000, timeout: 3000 })
    assert.deepInclude(made.success, { timeout: 4000 })
  })

  it("a delay before the next attempt is the policy's; full jitter draws from the run's Random", () => {
    const retry = { maxAttempts: 5, backoff: "1 second", multiplier: 2, cap: "3 seconds" } as const
    const { process } = plan({ policy: { process: { retry } } })
    assert.deepStrictEqual([1, 2, 3, 4].map(process.delay), [1000, 2000, 3000, 3000])
    const jittered = plan({ policy: { process: { retry: { ...retry, jitter: "full" } } } }).process
    const delays = Array.from({ length: 50 }, () => jittered.delay(2))
    assert.isTrue(delays.every((delay) => delay >= 0 && delay <= 2000))
    assert.isAbove(new Set(delays).size, 1)
  })

  it("the empty backoff grows from 100 ms to its cap, without jitter", () => {
    const { emptyDelay } = plan()
    assert.deepStrictEqual([1, 2, 3, 6, 7, 100].map(emptyDelay), [100, 200, 400, 3200, 5000, 5000])
  })

  it("a run that ends when its source is empty does not wait for more", () => {
    assert.isTrue(Duration.isZero(plan().fetch.wait))
    assert.strictEqual(plan().fetch.waitMillis, 0)
    const streaming = plan({ policy: { loop: { streaming: true } } })
    assert.strictEqual(streaming.fetch.waitMillis, 2000)
    assert.strictEqual(Duration.toMillis(streaming.fetch.wait), 2000)
  })

  it("a stream is not cut off while it is pulled, unless the task says so", () => {
    assert.strictEqual(plan({ from: ofStream }).fetch.timeout, Infinity)
    assert.strictEqual(plan({ from: ofStream, policy: { fetch: { timeout: "5 seconds" } } }).fetch.timeout, 5000)
  })

  it("lanes are for an ordering policy and for orderBy", () => {
    assert.isFalse(plan().lanes)
    assert.isTrue(plan({ policy: { loop: { ordering: "byKey" } } }).lanes)
    assert.isTrue(plan({ orderBy: () => "key" }).lanes)
  })

  it("without decisions everything is undecided", () => {
    assert.strictEqual(plan().decide({ _tag: "No" }), "undecided")
  })
})

describe("the codecs of a plan", () => {
  it.effect("the source decodes in its format; a stream and a given transaction are decoded already", () =>
    Effect.gen(function*() {
      const wire = { quantity: 1, at: "1970-01-01T00:00:00.000Z" }
      const payload = { quantity: 1, at: new Date(0) }
      assert.deepStrictEqual(yield* plan().decode!.decode(wire), payload)
      assert.deepStrictEqual(yield* plan({}, { source: source("native") }).decode!.decode(payload), payload)
      assert.isUndefined(plan({ from: ofStream }).decode)
      const prepared = Transaction.make("1", payload)
      assert.isUndefined(plan({}, { prepared }).decode)
      assert.strictEqual(plan({}, { prepared }).prepared, prepared)
    }))

  it.effect("each sink encodes in its own format", () =>
    Effect.gen(function*() {
      const { outputs } = plan(
        { sinks: [toReceipts, toReceipts] },
        { sinks: [sink("json"), sink("strings")] }
      )
      const payload = { quantity: 1, at: new Date(0) }
      const at = "1970-01-01T00:00:00.000Z"
      assert.deepStrictEqual(
        [yield* outputs[0]!.encode(payload), yield* outputs[1]!.encode(payload)],
        [{ quantity: 1, at }, { quantity: "1", at }]
      )
    }))

  it.effect("what a schema needs comes from the context of the run", () =>
    Effect.gen(function*() {
      class Salt extends Context.Service<Salt, { readonly text: string }>()("Salt") {}
      const Salted = Schema.String.pipe(Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.transformEffect((text: string) => Effect.map(Salt, (salt) => salt.text + text)),
        encode: SchemaGetter.transformEffect((text: string) => Effect.succeed(text))
      }))
      class Secrets extends Connector.Source<Secrets>()("secrets", Salted) {}
      const made = plan({ from: { _tag: "source", key: Secrets as never } }, {
        context: Context.make(Salt, { text: "s:" }) as Context.Context<never>
      })
      assert.strictEqual(yield* made.decode!.decode("open"), "s:open")
      assert.strictEqual(yield* made.decode!.explain("open"), "s:open")
    }))

  it("without anything asynchronous the answers are Exits", () => {
    const made = plan({ sinks: [toReceipts] }, { sinks: [sink("json")] })
    const wire = { quantity: 1, at: "1970-01-01T00:00:00.000Z" }
    assert.isTrue(Exit.isExit(made.decode!.decode(wire)))
    assert.isTrue(Exit.isExit(made.decode!.decode("x")))
    assert.isTrue(Exit.isExit(made.outputs[0]!.encode({ quantity: 1, at: new Date(0) })))
  })
})

describe("results and settlements in one database transaction", () => {
  const database = {}
  const commit: Commit = { database, transact: () => Effect.void }
  const committing = (changes: Partial<Definition>, sinks: ReadonlyArray<SinkService>, from = source("json", commit)) =>
    plan({ sinks: sinks.map(() => toReceipts), ...changes }, { source: from, sinks }).commit

  it("one sink on the database of the source, and nothing in between", () => {
    assert.strictEqual(committing({}, [sink("json", database)]), commit)
  })

  it("not otherwise", () => {
    assert.isUndefined(committing({}, []))
    assert.isUndefined(committing({}, [sink("json", {})]))
    assert.isUndefined(committing({}, [sink("json")]))
    assert.isUndefined(committing({}, [sink("json", database), sink("json", database)]))
    assert.isUndefined(committing({ onSuccess: () => Effect.void }, [sink("json", database)]))
    assert.isUndefined(committing({}, [sink("json", database)], source()))
    assert.isUndefined(committing({}, [sink("json")], source()))
  })
})

describe("where dead letters go", () => {
  it("to the sink of the task, else to the source; a producer has nowhere", () => {
    const deadLetters = sink("json")
    assert.strictEqual(plan().deadLetters._tag, "source")
    assert.strictEqual(plan({ from: ofStream }).deadLetters._tag, "nowhere")
    assert.strictEqual(plan({ deadLetter: "discard" }).deadLetters._tag, "discard")
    assert.strictEqual(plan({ from: ofStream, deadLetter: "discard" }).deadLetters._tag, "discard")
    for (const from of [definition.from, ofStream]) {
      const made = plan({ from, deadLetter: Dead as never }, { deadLetters }).deadLetters
      assert.isTrue(made._tag === "sink" && made.service === deadLetters)
    }
  })

  const encoded = (payload: unknown, format: Format = "json") => {
    const { deadLetters } = plan({ deadLetter: Dead as never }, { deadLetters: sink(format) })
    return deadLetters._tag === "sink" ? deadLetters.encode(letter(payload)) : Effect.die("no sink")
  }

  it.effect("a letter is encoded in the format of the sink", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* encoded({ n: 1 }), { ...letter({ n: 1 }) })
      assert.deepInclude(yield* encoded({ n: 1 }, "native"), { id: "1", payload: { n: 1 } })
    }))

  it.effect("a payload that is no JSON is kept as far as it goes", () =>
    Effect.gen(function*() {
      const cases = [
        { payload: { n: 1, at: new Date(0) }, kept: { n: 1, at: "1970-01-01T00:00:00.000Z" } },
        { payload: { n: 1, f: () => 1 }, kept: { n: 1 } },
        { payload: 1n, kept: "1n" },
        { payload: { n: 1n }, kept: "{\"n\":1n}" },
        { payload: undefined, kept: "undefined" },
        { payload: () => 1, kept: "() => 1" }
      ]
      for (const { kept, payload } of cases) assert.deepStrictEqual(yield* encoded(payload), { ...letter(kept) })
    }))

  it.effect("what JSON cannot hold at all does not keep its letter from being sent", () =>
    Effect.gen(function*() {
      const circular: { self?: unknown } = {}
      circular.self = circular
      for (const payload of [circular, { n: 1n }]) {
        assert.deepInclude(yield* encoded(payload), { id: "1", reason: "no" })
      }
    }))
})

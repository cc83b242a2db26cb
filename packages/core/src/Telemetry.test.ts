import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Logger, Metric, References, Schema, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { Connector, Decision, Memory, Policy, Reason, Task, Telemetry, Transaction } from "./index.ts"
import { Faults } from "./testing/index.ts"

class Jobs extends Connector.Source<Jobs>()("jobs", Schema.Struct({ n: Schema.Int })) {}
class Results extends Connector.Queue<Results>()("results", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}
class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {}

const producer = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
const jobs = (count: number, metadata?: Transaction.Metadata) =>
  Array.from({ length: count }, (_, n) => Transaction.make(`job-${n}`, { n }, metadata))

/** A tracer that keeps the spans in the order of their start; `sampled` decides about those without a parent. */
const tracing = (sampled: (name: string) => boolean = () => true) => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan({
        ...options,
        sampled: options.sampled && (options.parent._tag === "Some" || sampled(options.name))
      })
      spans.push(span)
      return span
    }
  })
  /** The names below a span, indented as they stand below each other; only what ended, and what was sampled. */
  const tree = (of?: Tracer.AnySpan, indent = ""): ReadonlyArray<string> =>
    spans.filter((span) => span.sampled && parentOf(span) === of?.spanId && span.status._tag === "Ended").flatMap((
      span
    ) => [
      `${indent}${span.name}`,
      ...tree(span, `${indent}  `)
    ])
  const named = (name: string) => spans.filter((span) => span.name === name)
  return { spans, tree, named, layer: Layer.succeed(Tracer.Tracer, tracer) }
}

const parentOf = (span: Tracer.Span): string | undefined =>
  span.parent._tag === "Some" ? span.parent.value.spanId : undefined

const linksOf = (span: Tracer.Span | undefined) => span?.links.map(({ span }) => `${span.traceId}-${span.spanId}`)

const errorOf = (span: Tracer.NativeSpan | undefined): Error => {
  assert.isDefined(span)
  assert(span.status._tag === "Ended" && Exit.isFailure(span.status.exit))
  const error = Cause.squash(span.status.exit.cause)
  assert.instanceOf(error, Error)
  return error
}

const attributesOf = (span: Tracer.Span | undefined) => Object.fromEntries(span?.attributes ?? [])

const task = Task.consumer("worker", Jobs, ({ payload }) => Effect.succeed(payload.n)).pipe(
  Task.dispatch(Results, ({ id }, n) => Transaction.make(`result-${id}`, n)),
  Task.deadLetter(Dead)
)
const sinks = Layer.merge(Memory.queue(Results), Memory.deadLetters(Dead))

describe("the names", () => {
  it("are a contract", () => {
    assert.deepStrictEqual(Object.values(Telemetry.spans).map(({ kind, name, of }) => `${name} ${of} ${kind}`), [
      "run task internal",
      "batch task internal",
      "transaction connector consumer",
      "fetch connector client",
      "decode attempt internal",
      "process attempt internal",
      "dispatch connector producer",
      "success attempt internal",
      "exception attempt internal",
      "settle connector client"
    ])
    assert.deepStrictEqual(Object.values(Telemetry.attributes), [
      "ergon.task",
      "ergon.step",
      "ergon.outcome",
      "ergon.category",
      "ergon.attempt",
      "ergon.attempts",
      "ergon.deliveries",
      "ergon.lease",
      "ergon.delay",
      "ergon.disposition",
      "ergon.cut",
      "ergon.workers",
      "ergon.state",
      "ergon.result",
      "error.type",
      "messaging.message.id",
      "messaging.destination.name",
      "messaging.operation.name",
      "messaging.operation.type",
      "messaging.batch.message_count"
    ])
    assert.deepStrictEqual(Object.values(Telemetry.resource), ["ergon.execution", "ergon.worker", "ergon.version"])
    assert.deepStrictEqual(
      Object.values(Telemetry.metrics).map(({ kind, labels, name, unit }) =>
        `${name} ${kind} ${unit} ${labels.join(" ")}`.trimEnd()
      ),
      [
        "ergon.transactions counter {transaction} ergon.outcome",
        "ergon.transaction.duration histogram s ergon.outcome",
        "ergon.step.duration histogram s ergon.step ergon.result",
        "ergon.retries counter {attempt}",
        "ergon.dead_letters counter {transaction}",
        "ergon.fetches counter {fetch} ergon.result",
        "ergon.fetch.size histogram {transaction}",
        "ergon.settle.failures counter {transaction} error.type",
        "ergon.in_flight gauge {transaction}",
        "ergon.backlog gauge {transaction} ergon.state"
      ]
    )
  })
})

describe("the spans of a run", () => {
  it.effect("that does not stream are one tree", () =>
    Effect.gen(function*() {
      const { layer, named, tree } = tracing()
      yield* Task.run(task).pipe(Effect.withSpan("app"), Effect.provide(layer))
      assert.deepStrictEqual(tree(), [
        "app",
        "  run worker",
        "    fetch jobs",
        "    transaction jobs",
        "      process",
        "      dispatch results",
        "      settle jobs"
      ])
      const [transaction] = named("transaction jobs")
      assert.strictEqual(transaction?.kind, "consumer")
      assert.deepStrictEqual(attributesOf(transaction), {
        "ergon.task": "worker",
        "messaging.message.id": "job-0",
        "ergon.deliveries": 0,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "jobs",
        "ergon.outcome": "succeeded",
        "ergon.disposition": "Ack",
        "ergon.attempts": 1
      })
      assert.deepStrictEqual(linksOf(transaction), [])
      assert.deepStrictEqual(attributesOf(named("dispatch results")[0]), {
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "results",
        "ergon.attempt": 1,
        "messaging.batch.message_count": 1
      })
      assert.strictEqual(named("dispatch results")[0]?.kind, "producer")
    }).pipe(Effect.provide([Memory.source(Jobs, jobs(1)), sinks])))

  it.effect("that streams are a trace for each transaction, linked to the run and to the producer", () =>
    Effect.gen(function*() {
      const { layer, named, tree } = tracing()
      const streaming = task.pipe(Task.policy({ loop: { streaming: true } }))
      yield* Task.run(streaming).pipe(Effect.provide(layer))
      assert.deepStrictEqual(
        tree(),
        [
          "run worker",
          "fetch jobs",
          "transaction jobs",
          "  process",
          "  dispatch results",
          "  settle jobs",
          "fetch jobs",
          "transaction jobs",
          "  process",
          "  dispatch results",
          "  settle jobs"
        ]
      )
      const [run] = named("run worker")
      const [first, second] = named("transaction jobs")
      assert.notStrictEqual(first?.traceId, second?.traceId)
      assert.deepStrictEqual(linksOf(first), [
        `${run?.traceId}-${run?.spanId}`,
        "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
      ])
      assert.deepStrictEqual(linksOf(named("fetch jobs")[0]), [`${run?.traceId}-${run?.spanId}`])
    }).pipe(Effect.provide([Memory.source(Jobs, jobs(2, { traceparent: producer }), { end: true }), sinks])))

  it.effect("continue the producer's trace when the policy says so", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      yield* Task.run(task.pipe(Task.policy({ transaction: { trace: "parent" } }))).pipe(Effect.provide(layer))
      const [transaction] = named("transaction jobs")
      assert.strictEqual(transaction?.traceId, "0af7651916cd43dd8448eb211c80319c")
      assert.strictEqual(parentOf(transaction!), "b7ad6b7169203331")
      const [run] = named("run worker")
      assert.deepStrictEqual(linksOf(transaction), [`${run?.traceId}-${run?.spanId}`])
    }).pipe(Effect.provide([Memory.source(Jobs, jobs(1, { traceparent: producer })), sinks])))

  it.effect("are one for a program, above its own", () =>
    Effect.gen(function*() {
      const { layer, named, tree } = tracing()
      yield* Task.run(Task.make("nightly", Effect.withSpan(Effect.void, "mine"))).pipe(Effect.provide(layer))
      assert.deepStrictEqual(tree(), ["run nightly", "  mine"])
      assert.deepStrictEqual(attributesOf(named("run nightly")[0]), { "ergon.task": "nightly" })
    }))

  it.effect("of batches stand below them", () =>
    Effect.gen(function*() {
      const { layer, named, tree } = tracing()
      const batches = task.pipe(Task.policy({ loop: { mode: "batch", concurrency: 2 } }))
      yield* Task.run(batches).pipe(Effect.provide(layer))
      const names = tree()
      assert.deepStrictEqual(names.filter((name) => /^ {0,4}(run|batch|transaction)/.test(name)), [
        "run worker",
        "  batch worker",
        "    transaction jobs",
        "    transaction jobs",
        "  batch worker",
        "    transaction jobs"
      ])
      assert.deepStrictEqual(named("batch worker").map((span) => attributesOf(span)["messaging.batch.message_count"]), [
        2,
        1
      ])
    }).pipe(Effect.provide([Memory.source(Jobs, jobs(3)), sinks])))

  it.effect("show each attempt, why it failed, and what became of the transaction", () =>
    Effect.gen(function*() {
      const { layer, named, tree } = tracing()
      const failing = Task.consumer("failing", Jobs, () => Effect.fail(new Refused({ message: "no" }))).pipe(
        Task.onFailure(() => Effect.void),
        Task.deadLetter(Dead),
        Task.policy({ process: { retry: { maxAttempts: 2, backoff: "1 second" } } })
      )
      const fiber = yield* Effect.forkChild(Task.run(failing).pipe(Effect.provide(layer)))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(tree(), [
        "run failing",
        "  fetch jobs",
        "  transaction jobs",
        "    process",
        "    process",
        "    exception",
        "    dispatch dead",
        "    settle jobs"
      ])
      assert.deepStrictEqual(named("process").map((span) => attributesOf(span)), [
        { "ergon.attempt": 1, "ergon.category": "business", "error.type": "Refused" },
        { "ergon.attempt": 2, "ergon.delay": 1000, "ergon.category": "business", "error.type": "Refused" }
      ])
      const [transaction] = named("transaction jobs")
      assert.deepInclude(attributesOf(transaction), {
        "ergon.outcome": "failed",
        "ergon.category": "business",
        "ergon.step": "process",
        "error.type": "Refused",
        "ergon.attempts": 2
      })
      for (const span of [transaction, ...named("process")]) {
        assert.isTrue(span?.status._tag === "Ended" && Exit.isFailure(span.status.exit))
      }
    }).pipe(Effect.provide([Memory.source(Jobs, jobs(1)), sinks])))

  it.effect("say that an attempt was cut", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      const hanging = Task.consumer("hanging", Jobs, () => Effect.never).pipe(
        Task.policy({
          process: { timeout: "1 second", retry: { maxAttempts: 2 } },
          transaction: { timeout: "90 seconds" }
        })
      )
      const fiber = yield* Effect.forkChild(Task.run(hanging).pipe(Effect.provide(layer)))
      yield* TestClock.adjust("1 minute")
      yield* Effect.yieldNow
      assert.isDefined(fiber.pollUnsafe())
      assert.deepStrictEqual(named("process").map((span) => attributesOf(span)), [
        { "ergon.attempt": 1, "ergon.cut": "attempt", "ergon.category": "timeout", "error.type": "timeout" },
        {
          "ergon.attempt": 2,
          "ergon.delay": 0,
          "ergon.cut": "attempt",
          "ergon.category": "timeout",
          "error.type": "timeout"
        }
      ])
      for (const span of named("process")) {
        assert.isTrue(span.status._tag === "Ended" && Exit.isFailure(span.status.exit))
        assert.match(errorOf(span).message, /exceeded its timeout of 1000 ms/)
      }
      assert.strictEqual(attributesOf(named("transaction jobs")[0])["error.type"], "timeout")
    }).pipe(Effect.provide(Memory.source(Jobs, jobs(1)))))

  it.effect("show what a sink and a source refuse, and every try", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      const lost = new Reason.ConnectionLost({ message: "gone" })
      const flaky = Layer.mergeAll(
        Memory.source(Jobs, jobs(1)).pipe(Faults.source(Jobs, { settle: Faults.first(1, Faults.failBefore(lost)) })),
        Memory.sink(Output).pipe(Faults.sink(Output, { dispatch: Faults.first(1, Faults.failBefore(lost)) }))
      )
      const toOutput = Task.consumer("worker", Jobs, ({ payload }) => Effect.succeed(payload.n)).pipe(
        Task.dispatch(Output, ({ id }, n) => Transaction.make(id, n))
      )
      const fiber = yield* Effect.forkChild(Task.run(toOutput).pipe(Effect.provide([flaky, layer])))
      yield* TestClock.adjust("1 minute")
      yield* Effect.yieldNow
      assert.isDefined(fiber.pollUnsafe())
      for (const name of ["dispatch output", "settle jobs"]) {
        assert.deepStrictEqual(named(name).map((span) => attributesOf(span)["error.type"]), [
          "ConnectionLost",
          undefined
        ])
        assert.deepStrictEqual(named(name).map((span) => attributesOf(span)["ergon.attempt"]), [1, 2])
        assert.deepStrictEqual(named(name).map((span) => attributesOf(span)["ergon.category"]), ["system", undefined])
        assert.deepStrictEqual(named(name).map((span) => attributesOf(span)["ergon.delay"]), [undefined, 100])
      }
    }))

  it.effect("say when a requeued transaction comes again", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      let tries = 0
      const later = Task.consumer(
        "later",
        Jobs,
        () => ++tries === 1 ? Effect.fail(new Refused({ message: "not yet" })) : Effect.void
      ).pipe(Task.decide({ Refused: () => Decision.requeue("5 seconds") }))
      const fiber = yield* Effect.forkChild(Task.run(later).pipe(Effect.provide(layer)))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      const [first] = named("transaction jobs")
      assert.deepInclude(attributesOf(first), {
        "ergon.outcome": "requeued",
        "ergon.disposition": "Requeue",
        "ergon.delay": 5000
      })
    }).pipe(Effect.provide(Memory.source(Jobs, jobs(1)))))

  it.effect("show the type, the message and the stack of an error, none of them empty, and never a payload", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      const failing = <E>(error: E) =>
        Task.run(Task.consumer("failing", Jobs, () => Effect.fail(error)).pipe(Task.discardFailures)).pipe(
          Effect.provide([Memory.source(Jobs, jobs(1)), layer])
        )
      yield* failing({ _tag: "OutOfStock", order: { card: "geheim" } })
      yield* failing(new Refused({ message: "" }))
      const bad = [
        Transaction.make("bad", { n: "geheim" }),
        Transaction.make("worse", "geheim")
      ]
      const source = Memory.sourceEncoded(Jobs, bad, {
        malformed: ({ id }) => id === "worse" ? "Unexpected token 'g', \"geheim\" is not JSON" : undefined
      })
      yield* Task.run(Task.consumer("failing", Jobs, () => Effect.void).pipe(Task.discardFailures)).pipe(
        Effect.provide([source, layer])
      )
      const errors = named("transaction jobs").map(errorOf)
      assert.deepStrictEqual(errors.map(({ message, name }) => `${name}: ${message}`), [
        "OutOfStock: OutOfStock",
        "Refused: Refused",
        "SchemaError: Expected number\n  at [\"n\"]",
        "SchemaError: the payload cannot be read"
      ])
      assert.include(errors[1]?.stack, "Telemetry.test.ts")
      assert.notInclude(errors.map(({ stack }) => stack).join("\n"), "geheim")
    }))

  it.effect("are all ended, whatever ends the run", () =>
    Effect.gen(function*() {
      const { layer, spans } = tracing()
      const aborting = Task.consumer("aborting", Jobs, ({ payload }) =>
        payload.n === 2 ? Effect.fail(new Refused({ message: "stop" })) : Effect.sleep("1 hour")).pipe(
          Task.decide({ Refused: Decision.abort }),
          Task.policy({ loop: { concurrency: 3 }, shutdown: { grace: "1 second" } })
        )
      const fiber = yield* Effect.forkChild(Effect.exit(Task.run(aborting).pipe(Effect.provide(layer))))
      yield* TestClock.adjust("1 minute")
      yield* Effect.yieldNow
      assert.isDefined(fiber.pollUnsafe())
      assert.isAbove(spans.length, 5)
      assert.deepStrictEqual(
        spans.filter((span) =>
          span.status._tag !== "Ended"
        ).map(({ name }) => name),
        []
      )
    }).pipe(Effect.provide(Memory.source(Jobs, jobs(5)))))
})

class Output extends Connector.Sink<Output>()("output", Schema.Int) {}

describe("a trace that a tracer can decide about before it begins", () => {
  /** Takes every second one; the engine must not have it decided twice. */
  const halving = () => {
    const taken = tracing()
    const tracer = Effect.runSync(Effect.provide(Effect.tracer, taken.layer))
    let asked = 0
    const heads: Telemetry.HeadTracer = Object.assign(
      Tracer.make({ span: (options) => tracer.span({ ...options, sampled: options.parent._tag === "Some" }) }),
      { "~ergon/heads": { isTaken: () => asked++ % 2 === 1, taken: tracer } }
    )
    return { ...taken, layer: Layer.succeed(Tracer.Tracer, heads as Tracer.Tracer), asked: () => asked }
  }
  const streaming = (program: Effect.Effect<void>) =>
    Task.consumer("worker", Jobs, () => program).pipe(
      Task.dispatch(Output, ({ id }) => Transaction.make(id, 1)),
      Task.policy({ loop: { streaming: true } })
    )

  it.effect("has no span unless it is taken, and is decided about once", () =>
    Effect.gen(function*() {
      const { asked, layer, named } = halving()
      yield* Task.run(streaming(Effect.void)).pipe(
        Effect.provide([Memory.source(Jobs, jobs(6), { end: true }), Memory.sink(Output), layer])
      )
      assert.strictEqual(asked(), 6)
      assert.deepStrictEqual(named("transaction jobs").map((span) => attributesOf(span)["messaging.message.id"]), [
        "job-1",
        "job-3",
        "job-5"
      ])
      assert.strictEqual(named("process").length, 3)
    }))

  it.effect("has ids of its own for whoever looks, and says that it is not taken", () =>
    Effect.gen(function*() {
      const { layer } = halving()
      const seen: Array<Tracer.AnySpan> = []
      const looking = Effect.contextWith((context: Context.Context<never>) =>
        Effect.sync(() =>
          void seen.push(Context.getUnsafe(context as Context.Context<Tracer.ParentSpan>, Tracer.ParentSpan))
        )
      )
      const context = yield* Layer.build(Layer.merge(Memory.source(Jobs, jobs(4), { end: true }), Memory.sink(Output)))
      yield* Task.run(streaming(looking)).pipe(Effect.provide(layer), Effect.provideContext(context))
      assert.deepStrictEqual(seen.map(({ sampled }) => sampled), [false, true, false, true])
      assert.strictEqual(new Set(seen.map(({ traceId }) => traceId)).size, 4)
      const sent = yield* Effect.provideContext(Memory.received(Output), context)
      assert.deepStrictEqual(
        sent.map(({ metadata }) => String(metadata["traceparent"]).slice(0, 35)),
        seen.map(({ traceId }) => `00-${traceId}`)
      )
      assert.deepStrictEqual(sent.map(({ metadata }) => String(metadata["traceparent"]).slice(-2)), [
        "00",
        "01",
        "00",
        "01"
      ])
    }))
})

describe("what programs see", () => {
  it.effect("their spans stand below the attempt; what is not sampled has none below it", () =>
    Effect.gen(function*() {
      const inner = Task.consumer("inner", Jobs, () => Effect.withSpan(Effect.void, "mine"))
      const streaming = inner.pipe(Task.policy({ loop: { streaming: true } }))
      const all = tracing()
      yield* Task.run(streaming).pipe(Effect.provide([Memory.source(Jobs, jobs(1), { end: true }), all.layer]))
      assert.strictEqual(parentOf(all.named("mine")[0]!), all.named("process")[0]?.spanId)
      const some = tracing((name) => !name.startsWith("transaction"))
      yield* Task.run(streaming).pipe(Effect.provide([Memory.source(Jobs, jobs(1), { end: true }), some.layer]))
      const [transaction] = some.named("transaction jobs")
      assert.deepStrictEqual(some.tree(), ["run inner", "fetch jobs"])
      assert.strictEqual(parentOf(some.named("mine")[0]!), transaction?.spanId)
      assert.isFalse(some.named("mine")[0]?.sampled)
    }))

  it.effect("every line they log says the task and the transaction, with and without a tracer", () =>
    Effect.gen(function*() {
      const told: Array<unknown> = []
      const logger = Logger.make((options) => {
        const annotations = options.fiber.getRef(References.CurrentLogAnnotations)
        const span = Context.getOrUndefined(options.fiber.context, Tracer.ParentSpan)
        told.push([
          options.message,
          annotations["task"],
          annotations["transaction"],
          annotations["region"],
          span?._tag === "Span" ? span.name : ""
        ])
      })
      const logging = Task.consumer("logging", Jobs, () => Effect.log("processing")).pipe(
        Task.onSuccess(() => Effect.log("done")),
        Task.policy({ loop: { concurrency: 2 } })
      )
      const run = Task.run(logging).pipe(
        Effect.annotateLogs("region", "eu"),
        Effect.provide([Memory.source(Jobs, jobs(2)), Logger.layer([logger])])
      )
      yield* run
      assert.deepStrictEqual(told.splice(0), [
        [["processing"], "logging", "job-0", "eu", ""],
        [["done"], "logging", "job-0", "eu", ""],
        [["processing"], "logging", "job-1", "eu", ""],
        [["done"], "logging", "job-1", "eu", ""]
      ])
      yield* Effect.provide(run, tracing().layer)
      assert.deepStrictEqual(told.slice(0, 2), [
        [["processing"], "logging", "job-0", "eu", "process"],
        [["done"], "logging", "job-0", "eu", "success"]
      ])
    }))

  it.effect("without a tracer there is no span, and the effective policy is there as before", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const looking = Task.consumer("looking", Jobs, () =>
        Effect.gen(function*() {
          seen.push(
            Context.getOrUndefined(yield* Effect.context<never>(), Tracer.ParentSpan),
            (yield* Policy.current).loop.concurrency
          )
        })).pipe(Task.policy({ loop: { concurrency: 7 } }))
      yield* Task.run(looking).pipe(Effect.provide(Memory.source(Jobs, jobs(1))))
      assert.deepStrictEqual(seen, [undefined, 7])
    }))
})

describe("what is sent", () => {
  const metadataOf = (transactions: ReadonlyArray<Transaction.Transaction<unknown>>) =>
    transactions.map(({ metadata }) => metadata)
  const forward = (metadata: (from: Transaction.Metadata) => Transaction.Metadata) =>
    Task.consumer("worker", Jobs, ({ payload }) => Effect.succeed(payload.n)).pipe(
      Task.dispatch(Output, ({ id, metadata: from }, n) => Transaction.make(id, n, metadata(from)))
    )

  it.effect("carries the span that sent it, and the baggage of what it was made from", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      const from = { traceparent: producer, tracestate: "a=b", baggage: "user=7", queue: "orders" }
      const context = yield* Layer.build(Layer.merge(Memory.source(Jobs, jobs(1, from)), Memory.sink(Output)))
      yield* Task.run(forward(() => ({ kind: "job" }))).pipe(Effect.provide(layer), Effect.provideContext(context))
      const [span] = named("dispatch output")
      assert.deepStrictEqual(metadataOf(yield* Effect.provideContext(Memory.received(Output), context)), [
        { kind: "job", traceparent: `00-${span?.traceId}-${span?.spanId}-01`, baggage: "user=7" }
      ])
    }))

  it.effect("within the trace of its producer keeps what vendors say of it", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      const from = { traceparent: producer, tracestate: "a=b" }
      const context = yield* Layer.build(Layer.merge(Memory.source(Jobs, jobs(1, from)), Memory.sink(Output)))
      const joined = forward((from) => from).pipe(Task.policy({ transaction: { trace: "parent" } }))
      yield* Task.run(joined).pipe(Effect.provide(layer), Effect.provideContext(context))
      const [span] = named("dispatch output")
      assert.deepStrictEqual(metadataOf(yield* Effect.provideContext(Memory.received(Output), context)), [
        { traceparent: `00-0af7651916cd43dd8448eb211c80319c-${span?.spanId}-01`, tracestate: "a=b" }
      ])
    }))

  it.effect("keeps a trace context that the task has given it, and has none without a tracer", () =>
    Effect.gen(function*() {
      const own = "00-11111111111111111111111111111111-2222222222222222-00"
      for (const [metadata, expected] of [[{ traceparent: own }, { traceparent: own }], [{}, {}]] as const) {
        const context = yield* Layer.build(Layer.merge(Memory.source(Jobs, jobs(1)), Memory.sink(Output)))
        const run = Task.run(forward(() => metadata))
        yield* Effect.provideContext("traceparent" in metadata ? Effect.provide(run, tracing().layer) : run, context)
        assert.deepStrictEqual(metadataOf(yield* Effect.provideContext(Memory.received(Output), context)), [expected])
      }
    }))

  it.effect("from inside of a step carries the span and the baggage of the transaction at hand", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      const from = { traceparent: producer, tracestate: "a=b", baggage: "user=7" }
      const context = yield* Layer.build(Layer.merge(Memory.source(Jobs, jobs(1, from)), Memory.sink(Output)))
      const headers: Array<Telemetry.Headers> = []
      const sending = Task.consumer("worker", Jobs, () =>
        Effect.gen(function*() {
          headers.push(yield* Telemetry.headers)
          yield* Connector.send(Output, Transaction.make("one", 1))
        })).pipe(Task.policy({ transaction: { trace: "parent" } }))
      yield* Task.run(sending).pipe(Effect.provide(layer), Effect.provideContext(context))
      const expected = {
        traceparent: `00-0af7651916cd43dd8448eb211c80319c-${named("process")[0]?.spanId}-01`,
        tracestate: "a=b",
        baggage: "user=7"
      }
      assert.deepStrictEqual(headers, [expected])
      assert.deepStrictEqual(metadataOf(yield* Effect.provideContext(Memory.received(Output), context)), [expected])
    }))

  it.effect("as a dead letter carries the trace of its failure, and in its envelope that of its producer", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      const from = { traceparent: producer }
      // What a sink of dead letters is sent, seen by a sink that keeps it as it comes.
      const sent: Array<Transaction.Transaction<unknown>> = []
      const keeping = Connector.layerDeadLetters(
        Dead,
        Effect.succeed({
          format: "json",
          dispatch: (all: ReadonlyArray<Transaction.Transaction<unknown>>) => Effect.sync(() => void sent.push(...all))
        })
      )
      const failing = Task.consumer("failing", Jobs, () => Effect.fail(new Refused({ message: "no" }))).pipe(
        Task.deadLetter(Dead)
      )
      yield* Task.run(failing).pipe(Effect.provide([Memory.source(Jobs, jobs(1, from)), keeping, layer]))
      const [letter] = sent
      const [span] = named("dispatch dead")
      assert.strictEqual(letter?.metadata["traceparent"], `00-${span?.traceId}-${span?.spanId}-01`)
      assert.deepInclude(letter?.payload, { metadata: from })
    }))

  it.effect("from anywhere carries the span around it", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      yield* Connector.send(Output, Transaction.make("one", 1)).pipe(Effect.withSpan("handler"), Effect.provide(layer))
      yield* Connector.send(Output, Transaction.make("two", 2))
      const [span] = named("handler")
      assert.deepStrictEqual(metadataOf(yield* Memory.received(Output)), [
        { traceparent: `00-${span?.traceId}-${span?.spanId}-01` },
        {}
      ])
    }).pipe(Effect.provide(Memory.sink(Output))))

  it.effect("with a producer's span that cannot be read is as if there were none", () =>
    Effect.gen(function*() {
      const { layer, named } = tracing()
      const broken = [
        "00-0-0-01",
        "",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        producer.toUpperCase(),
        7
      ]
        .map((traceparent, n) => Transaction.make(`job-${n}`, { n }, { traceparent }))
      yield* Task.run(Task.consumer("worker", Jobs, () => Effect.void)).pipe(
        Effect.provide([Memory.source(Jobs, broken), layer])
      )
      assert.deepStrictEqual(named("transaction jobs").map((span) => linksOf(span)), broken.map(() => []))
    }))
})

describe("the metrics of a run", () => {
  /** Runs with a registry of its own, and answers with what is in it: `name{labels} value`, without the task. */
  const metricsOf = <A, E, R>(run: Effect.Effect<A, E, R>, histograms = false) =>
    Effect.gen(function*() {
      yield* run
      return (yield* Metric.snapshot).map(({ attributes, id, state }) => {
        const { "ergon.task": task, unit, ...labels } = attributes ?? {}
        assert.strictEqual(task, "worker")
        assert.isString(unit)
        const value = "buckets" in state
          ? `${state.count} times, ${state.sum}`
          : "count" in state
          ? state.count
          : "value" in state
          ? state.value
          : ""
        return `${id}{${Object.values(labels)}} ${value}`
      }).toSorted()
    }).pipe(
      Effect.provideService(Metric.MetricRegistry, new Map()),
      Effect.provideService(Telemetry.Histograms, histograms)
    )

  const half = Task.consumer(
    "worker",
    Jobs,
    ({ payload }) => payload.n % 2 === 0 ? Effect.succeed(payload.n) : Effect.fail(new Refused({ message: "odd" }))
  ).pipe(
    Task.deadLetter(Dead),
    Task.policy({ loop: { concurrency: 2 }, process: { retry: { maxAttempts: 2 } } })
  )

  it.effect("count what it did", () =>
    Effect.gen(function*() {
      const layers = Layer.merge(Memory.source(Jobs, jobs(5)), Memory.deadLetters(Dead))
      assert.deepStrictEqual(yield* metricsOf(Effect.provide(Task.run(half), layers)), [
        "ergon.dead_letters{} 2",
        "ergon.fetches{deliveries} 4",
        "ergon.fetches{empty} 2",
        "ergon.in_flight{} 0",
        "ergon.retries{} 2",
        "ergon.transactions{failed} 2",
        "ergon.transactions{succeeded} 3"
      ])
    }))

  it.effect("add up over runs, one after another and side by side", () =>
    Effect.gen(function*() {
      const layers = () => Layer.fresh(Layer.merge(Memory.source(Jobs, jobs(4)), Memory.deadLetters(Dead)))
      const run = Effect.suspend(() => Effect.provide(Task.run(half), layers()))
      const told = yield* metricsOf(Effect.andThen(run, Effect.all([run, run], { concurrency: 2 })))
      assert.include(told, "ergon.transactions{succeeded} 6")
      assert.include(told, "ergon.transactions{failed} 6")
    }))

  it.effect("are told while it runs, a second late at most", () =>
    Effect.gen(function*() {
      const slow = Task.consumer("worker", Jobs, () => Effect.sleep("1 minute")).pipe(
        Task.policy({ loop: { concurrency: 2, streaming: true }, transaction: { timeout: "1 hour" } })
      )
      const told = yield* metricsOf(Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Task.run(slow).pipe(Effect.provide(Memory.source(Jobs, jobs(3)))))
        yield* TestClock.adjust("1 second")
        const { value } = (yield* Metric.snapshot).find(({ id }) => id === "ergon.in_flight")!.state as {
          value: number
        }
        assert.strictEqual(value, 2)
        yield* TestClock.adjust("60 seconds")
        const done = (yield* Metric.snapshot).find(({ id }) => id === "ergon.transactions")!.state as { count: number }
        assert.strictEqual(done.count, 2)
        const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber))
        yield* TestClock.adjust("2 minutes")
        yield* Fiber.join(interrupting)
      }))
      assert.include(told, "ergon.transactions{succeeded} 2")
      assert.include(told, "ergon.transactions{released} 1")
    }))

  it.effect("keep durations, sizes and the backlog when somebody reads them", () =>
    Effect.gen(function*() {
      const slow = Task.consumer("worker", Jobs, ({ payload }) =>
        payload.n === 2 ? Effect.never : Effect.sleep("2 seconds")).pipe(
          Task.deadLetter(Dead),
          Task.onFailure(() =>
            Effect.void
          ),
          Task.policy({ process: { timeout: "8 seconds" } })
        )
      const layers = Layer.merge(Memory.source(Jobs, jobs(3)), Memory.deadLetters(Dead))
      const run = Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Task.run(slow).pipe(Effect.provide(layers)))
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
      })
      assert.deepStrictEqual(
        (yield* metricsOf(run, true)).filter((line) => !/^ergon\.(fetches|retries|in_flight)/.test(line)),
        [
          "ergon.backlog{delayed} 0",
          "ergon.backlog{ready} 0",
          "ergon.dead_letters{} 1",
          "ergon.fetch.size{} 3 times, 3",
          "ergon.step.duration{dispatch,ok} 1 times, 0",
          "ergon.step.duration{exception,ok} 1 times, 0",
          "ergon.step.duration{process,ok} 2 times, 4",
          "ergon.step.duration{process,timeout} 1 times, 8",
          "ergon.step.duration{settle,ok} 3 times, 0",
          "ergon.transaction.duration{failed} 1 times, 8",
          "ergon.transaction.duration{succeeded} 2 times, 4",
          "ergon.transactions{failed} 1",
          "ergon.transactions{succeeded} 2"
        ]
      )
    }))

  it.effect("count the settlements that failed, by the reason", () =>
    Effect.gen(function*() {
      const lost = new Reason.ConnectionLost({ message: "gone" })
      const flaky = Memory.source(Jobs, jobs(1)).pipe(
        Faults.source(Jobs, { settle: Faults.first(2, Faults.failBefore(lost)) })
      )
      const run = Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(
          Task.run(Task.consumer("worker", Jobs, () => Effect.void)).pipe(Effect.provide(flaky))
        )
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
      })
      assert.include(yield* metricsOf(run), "ergon.settle.failures{ConnectionLost} 2")
    }))
})

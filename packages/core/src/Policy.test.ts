import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Context, Duration, Effect, Exit, Fiber, Layer, Ref, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { DispatchError } from "./ConnectorError.ts"
import * as Decision from "./Decision.ts"
import * as Policy from "./Policy.ts"
import { ConnectionLost, InvalidRequest, Throttled } from "./Reason.ts"

const problemsOf = (input: unknown): ReadonlyArray<string> => {
  try {
    Policy.make(input as Policy.Input)
  } catch (error) {
    if (error instanceof Policy.PolicyError) return error.problems
    throw error
  }
  return []
}

const seconds = (duration: Duration.Duration): number => Duration.toSeconds(duration)

describe("defaults", () => {
  it("are those of the reference page", () => {
    const { exception, fetch, loop, process, settle, shutdown, supervision, transaction } = Policy.defaults
    assert.deepStrictEqual({ ...loop, timeout: seconds(loop.timeout) }, {
      mode: "continuous",
      concurrency: 1,
      streaming: false,
      limit: Infinity,
      timeout: Infinity,
      rate: undefined,
      ordering: "none"
    })
    assert.strictEqual(fetch.batch.size, undefined)
    assert.strictEqual(fetch.prefetch, "auto")
    assert.deepStrictEqual([fetch.wait, fetch.empty.backoff, fetch.empty.cap, fetch.timeout].map(seconds), [
      2,
      0.1,
      5,
      32
    ])
    assert.strictEqual(fetch.empty.multiplier, 2)
    assert.strictEqual(process.retry.maxAttempts, 1)
    assert.strictEqual(process.retry.jitter, "none")
    assert.deepStrictEqual([process.timeout, exception.timeout, settle.timeout].map(seconds), [Infinity, 30, 30])
    assert.deepStrictEqual(
      [transaction.timeout, shutdown.grace, shutdown.close, supervision.check].map(seconds),
      [60, 30, 10, 10]
    )
    assert.strictEqual(transaction.maxDeliveries, 20)
  })
})

describe("what follows from other fields", () => {
  it("fetch is tried without end when streaming, spaced by the empty backoff", () => {
    const { fetch } = Policy.make({
      loop: { streaming: true },
      fetch: { empty: { backoff: "1 second", multiplier: 3 } }
    })
    assert.strictEqual(fetch.retry.maxAttempts, Infinity)
    assert.strictEqual(fetch.retry.multiplier, 3)
    assert.deepStrictEqual([fetch.retry.backoff, fetch.retry.cap].map(seconds), [1, 5])
    assert.strictEqual(
      Policy.make({ loop: { streaming: true }, fetch: { retry: { maxAttempts: 4 } } }).fetch.retry.maxAttempts,
      4
    )
    assert.strictEqual(Policy.defaults.fetch.retry.maxAttempts, 1)
  })

  it("a cap that is not set is never below its backoff", () => {
    const { fetch } = Policy.make({ fetch: { empty: { backoff: "10 seconds" }, retry: { backoff: "20 seconds" } } })
    assert.deepStrictEqual([fetch.empty.cap, fetch.retry.cap].map(seconds), [10, 20])
  })

  it("fetch.timeout leaves 30 seconds above the wait", () => {
    assert.strictEqual(seconds(Policy.make({ fetch: { wait: "10 seconds" } }).fetch.timeout), 40)
  })

  it("thresholds follow the timeouts; without a deadline there is none for transactions", () => {
    const { thresholds } = Policy.make({ transaction: { timeout: "10 seconds" } }).supervision
    assert.deepStrictEqual([thresholds.fetch, thresholds.transaction].map(seconds), [37, 100])
    const patient = Policy.make({ exception: { timeout: "1 second", retry: { maxAttempts: 3, backoff: "2 seconds" } } })
    assert.strictEqual(seconds(patient.supervision.thresholds.transaction), 60 + 3 + 4 + 2)
    assert.strictEqual(
      seconds(Policy.make({ transaction: { timeout: null } }).supervision.thresholds.transaction),
      Infinity
    )
  })
})

const refusals: ReadonlyArray<{ readonly input: unknown; readonly told: ReadonlyArray<string> }> = [
  {
    input: { process: { retry: { maxAttempts: 0 } } },
    told: ["process.retry.maxAttempts: 0", "an integer of at least 1"]
  },
  { input: { process: { retry: { maxAttempts: 1.5 } } }, told: ["process.retry.maxAttempts: 1.5", "an integer"] },
  { input: { process: { retry: { maxAttempts: "3" } } }, told: ["process.retry.maxAttempts: \"3\""] },
  { input: { process: { retry: { maxAttempts: null } } }, told: ["process.retry.maxAttempts: null"] },
  { input: { process: { retry: { maxAttempts: Infinity } } }, told: ["process.retry.maxAttempts: Infinity"] },
  {
    input: { process: { retry: { multiplier: 0.5 } } },
    told: ["process.retry.multiplier: 0.5", "a number of at least 1"]
  },
  { input: { process: { retry: { multiplier: Infinity } } }, told: ["process.retry.multiplier: Infinity"] },
  { input: { process: { retry: { backoff: "-1 seconds" } } }, told: ["process.retry.backoff: \"-1 seconds\""] },
  { input: { process: { retry: { backoff: "Infinity" } } }, told: ["process.retry.backoff: \"Infinity\"", "finite"] },
  { input: { process: { retry: { cap: 0 } } }, told: ["process.retry.cap: 0", "above 0", "null for none"] },
  {
    input: { process: { retry: { jitter: "some" } } },
    told: ["process.retry.jitter: \"some\"", "\"none\" or \"full\""]
  },
  { input: { process: { timeout: 0 } }, told: ["process.timeout: 0", "above 0"] },
  { input: { process: { timeout: { second: 1 } } }, told: ["process.timeout: {\"second\":1}"] },
  { input: { process: { timeout: NaN } }, told: ["process.timeout: NaN"] },
  { input: { settle: { timeout: null } }, told: ["settle.timeout: null", "a finite duration above 0"] },
  { input: { loop: { limit: -1 } }, told: ["loop.limit: -1", "at least 0", "null for none"] },
  { input: { loop: { streaming: 1 } }, told: ["loop.streaming: 1", "true or false"] },
  { input: { loop: { rate: "fast" } }, told: ["loop.rate: \"fast\"", "100/second"] },
  { input: { loop: { rate: { limit: 0, interval: 1 } } }, told: ["loop.rate: {\"limit\":0,\"interval\":1}"] },
  { input: { loop: { rate: { limit: 1, intervall: 1 } } }, told: ["loop.rate:"] },
  { input: { fetch: { prefetch: "some" } }, told: ["fetch.prefetch: \"some\"", "\"auto\""] },
  { input: { loop: 4 }, told: ["loop: 4", "an object with mode, concurrency"] },
  { input: { loop: [] }, told: ["loop: []"] },
  { input: { loop: null }, told: ["loop: null"] },
  { input: null, told: ["the policy: null"] },
  {
    input: { fetch: { batch: { interval: "1 second" } } },
    told: ["fetch.batch.interval: 1 second", "loop.mode \"batch\""]
  },
  {
    input: { loop: { mode: "batch" }, fetch: { prefetch: 2 } },
    told: ["fetch.prefetch: 2", "loop.mode \"continuous\""]
  },
  {
    input: { fetch: { wait: "40 seconds", timeout: "30 seconds" } },
    told: ["fetch.timeout: 30 seconds", "more than fetch.wait"]
  },
  {
    input: { dispatch: { retry: { backoff: 2000, cap: 1000 } } },
    told: ["dispatch.retry.cap: 1 second", "at least dispatch.retry.backoff, which is 2 seconds"]
  },
  { input: { fetch: { empty: { cap: 50 } } }, told: ["fetch.empty.cap: 50 millis"] },
  { input: { proces: {} }, told: ["proces: no such field", "did you mean process?", "loop, fetch"] },
  {
    input: { process: { retri: 3 } },
    told: ["process.retri: no such field, set to 3", "did you mean process.retry?"]
  },
  {
    input: { process: { maxAttempts: 3 } },
    told: ["did you mean process.retry.maxAttempts?", "valid: retry, timeout"]
  },
  { input: { concurrency: 3 }, told: ["concurrency: no such field", "did you mean loop.concurrency?"] },
  { input: { concurency: 3 }, told: ["concurency: no such field", "did you mean loop.concurrency?"] },
  { input: { zzz: 3 }, told: ["zzz: no such field", "(valid: loop,"] },
  { input: { constructor: 3 }, told: ["constructor: no such field"] }
]

describe("make", () => {
  it("undefined is the default at any depth", () => {
    const policy = Policy.make({ loop: undefined, process: { retry: { maxAttempts: undefined }, timeout: undefined } })
    assert.deepStrictEqual(policy, Policy.defaults)
  })

  it("a bare number of a duration is milliseconds, and every form of Duration.Input is understood", () => {
    const forms: ReadonlyArray<Duration.Input> = [
      1500,
      1_500_000_000n,
      [1, 500_000_000],
      "1.5 seconds",
      { seconds: 1, milliseconds: 500 },
      Duration.millis(1500)
    ]
    for (const timeout of forms)
      assert.strictEqual(Duration.toMillis(Policy.make({ process: { timeout } }).process.timeout), 1500)
  })

  it("null, and infinity, switch off what may be without a bound", () => {
    const off = Policy.make({ transaction: { timeout: null }, loop: { limit: null, rate: null } })
    assert.isFalse(Duration.isFinite(off.transaction.timeout))
    assert.deepStrictEqual([off.loop.limit, off.loop.rate], [Infinity, undefined])
    assert.isFalse(Duration.isFinite(Policy.make({ transaction: { timeout: "Infinity" } }).transaction.timeout))
  })

  it("reads rates", () => {
    for (const rate of ["100/second", "100 per 1 second", "100 / 1s", { limit: 100, interval: 1000 }]) {
      const { interval, limit } = Policy.make({ loop: { rate } }).loop.rate!
      assert.deepStrictEqual([limit, Duration.toMillis(interval)], [100, 1000])
    }
    assert.strictEqual(
      Duration.toMillis(Policy.make({ loop: { rate: "5 per 2 minutes" } }).loop.rate!.interval),
      120_000
    )
  })

  it.each(refusals)("refuses $input", ({ input, told }) => {
    const problems = problemsOf(input)
    for (const part of told) assert.include(problems.join("\n"), part)
    assert.isNotEmpty(problems)
  })

  it("tells all problems at once, in the order of the input", () => {
    const problems = problemsOf({
      loop: { concurrency: 0, streeming: true },
      process: { retry: { maxAttempts: "three" }, timeout: -1 }
    })
    assert.deepStrictEqual(problems.map((problem) => problem.slice(0, problem.indexOf(":"))), [
      "loop.concurrency",
      "loop.streeming",
      "process.retry.maxAttempts",
      "process.timeout"
    ])
    const error = new Policy.PolicyError({ problems })
    assert.strictEqual(error.message.split("\n").length, 5)
  })

  it("tells a value that contains itself, a function and a long text on one short line", () => {
    const loop: { [key: string]: unknown } = {}
    loop["rate"] = { limit: loop }
    loop["timeout"] = () => 1
    loop["mode"] = "x".repeat(1000)
    const problems = problemsOf({ loop })
    assert.lengthOf(problems, 3)
    for (const problem of problems) assert.isBelow(problem.length, 250)
  })
})

describe("JSON", () => {
  it.effect("a bare number of a duration is seconds", () =>
    Effect.gen(function*() {
      const policy = yield* Policy.decode({ process: { timeout: 1.5 }, shutdown: { grace: "500ms" } })
      assert.strictEqual(Duration.toMillis(policy.process.timeout), 1500)
      assert.strictEqual(Duration.toMillis(policy.shutdown.grace), 500)
    }))

  it.effect("null and \"none\" switch off what may be without a bound", () =>
    Effect.gen(function*() {
      const policy = yield* Policy.decode({ transaction: { timeout: "none" }, loop: { timeout: null, limit: null } })
      assert.deepStrictEqual([policy.transaction.timeout, policy.loop.timeout].map(seconds), [Infinity, Infinity])
      assert.strictEqual(policy.loop.limit, Infinity)
    }))

  it.effect("lies over an input in code", () =>
    Effect.gen(function*() {
      const json = yield* Policy.fromJson({ loop: { rate: null, concurrency: 4 } })
      const policy = Policy.make(Policy.merge({ loop: { rate: "5/second", concurrency: 2, limit: 7 } }, json))
      assert.deepStrictEqual([policy.loop.rate, policy.loop.concurrency, policy.loop.limit], [undefined, 4, 7])
    }))

  it.effect("fails with all problems", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Policy.decode({ loop: { limit: "3", mode: "Batch" } }))
      assert.lengthOf(error.problems, 2)
      assert.lengthOf((yield* Effect.flip(Policy.fromJson("{}"))).problems, 1)
    }))
})

const fromEnvironment = (env: Record<string, string>, options?: Policy.EnvironmentOptions, task = "orders") =>
  Policy.fromConfig(task, options).pipe(
    Effect.map((input) => Policy.make(input)),
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
  )

describe("the environment", () => {
  const at = (policy: Policy.Policy, path: string): unknown =>
    path.split(".").reduce<unknown>((section, key) => (section as { readonly [key: string]: unknown })[key], policy)
  const shown = (value: unknown): unknown => Duration.isDuration(value) ? Duration.toMillis(value) : value

  it.effect.each(
    [
      ["LOOP_CONCURRENCY", "3", "loop.concurrency", 3],
      ["LOOP_CONCURRENCY", " 3.0 ", "loop.concurrency", 3],
      ["LOOP_CONCURRENCY", "", "loop.concurrency", 1],
      ["LOOP_CONCURRENCY", "   ", "loop.concurrency", 1],
      ["LOOP_LIMIT", "none", "loop.limit", Infinity],
      ["LOOP_LIMIT", " NULL ", "loop.limit", Infinity],
      ["LOOP_LIMIT", "0", "loop.limit", 0],
      ["LOOP_STREAMING", "1", "loop.streaming", true],
      ["LOOP_STREAMING", "TRUE", "loop.streaming", true],
      ["LOOP_STREAMING", "yes", "loop.streaming", true],
      ["LOOP_STREAMING", "On", "loop.streaming", true],
      ["LOOP_STREAMING", "0", "loop.streaming", false],
      ["LOOP_STREAMING", "false", "loop.streaming", false],
      ["LOOP_STREAMING", "No", "loop.streaming", false],
      ["LOOP_STREAMING", "off", "loop.streaming", false],
      ["LOOP_MODE", "BATCH", "loop.mode", "batch"],
      ["LOOP_ORDERING", "bykey", "loop.ordering", "byKey"],
      ["LOOP_ORDERING", "None", "loop.ordering", "none"],
      ["LOOP_TIMEOUT", "90", "loop.timeout", 90_000],
      ["LOOP_TIMEOUT", "1.001", "loop.timeout", 1001],
      ["LOOP_TIMEOUT", "2 Minutes", "loop.timeout", 120_000],
      ["FETCH_WAIT", "250ms", "fetch.wait", 250],
      ["FETCH_WAIT", "5s", "fetch.wait", 5000],
      ["FETCH_PREFETCH", "Auto", "fetch.prefetch", "auto"],
      ["FETCH_PREFETCH", "8", "fetch.prefetch", 8],
      ["FETCH_BATCH_SIZE", "10", "fetch.batch.size", 10],
      ["TRANSACTION_TIMEOUT", "none", "transaction.timeout", Infinity],
      ["TRANSACTION_MAX_DELIVERIES", "5", "transaction.maxDeliveries", 5],
      ["PROCESS_RETRY_MAX_ATTEMPTS", "4", "process.retry.maxAttempts", 4],
      ["PROCESS_RETRY_MULTIPLIER", "1.5", "process.retry.multiplier", 1.5],
      ["PROCESS_RETRY_JITTER", "FULL", "process.retry.jitter", "full"],
      ["SUPERVISION_THRESHOLDS_FETCH", "7", "supervision.thresholds.fetch", 7000]
    ] as const
  )("%s = %j", ([variable, text, path, expected]) =>
    Effect.gen(function*() {
      const policy = yield* fromEnvironment({ [`ERGON_ORDERS_${variable}`]: text })
      assert.strictEqual(shown(at(policy, path)), expected)
    }))

  it.effect.each(
    [
      ["LOOP_CONCURRENCY", "0"],
      ["LOOP_CONCURRENCY", "3.5"],
      ["LOOP_CONCURRENCY", "three"],
      ["LOOP_CONCURRENCY", "none"],
      ["LOOP_STREAMING", "maybe"],
      ["LOOP_STREAMING", "none"],
      ["LOOP_TIMEOUT", "0"],
      ["LOOP_TIMEOUT", "-1"],
      ["LOOP_TIMEOUT", "soon"],
      ["LOOP_TIMEOUT", "infinity"],
      ["SETTLE_TIMEOUT", "none"],
      ["LOOP_RATE", "0/second"],
      ["LOOP_MODE", "bach"]
    ] as const
  )("%s = %j is refused by its name", ([variable, text]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(fromEnvironment({ [`ERGON_ORDERS_${variable}`]: text }))
      assert.instanceOf(error, Policy.PolicyError)
      assert.include(error.message, `ERGON_ORDERS_${variable}: ${JSON.stringify(text)} is not valid`)
    }))

  it.effect("the task's name is upper-cased, everything but letters and digits an underscore", () =>
    Effect.gen(function*() {
      const policy = yield* fromEnvironment({ ERGON_ORDER_PROCESSOR_2_LOOP_LIMIT: "9" }, {}, "order-processor.2")
      assert.strictEqual(policy.loop.limit, 9)
    }))

  it.effect("tells all problems at once, unknown names with the nearest valid one", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(fromEnvironment({
        ERGON_ORDERS_LOOP_LIMIT: "many",
        ERGON_ORDERS_PROCES_RETRY_MAX_ATTEMPTS: "3",
        ERGON_ORDERS_MAX_ATEMPTS: "3",
        ERGON_ORDERS_COLOUR: "red",
        ERGON_ORDERS_SETTLE_TIMEOUT: "none"
      }))
      assert.instanceOf(error, Policy.PolicyError)
      assert.lengthOf(error.problems, 5)
      assert.include(error.message, "ERGON_ORDERS_MAX_ATEMPTS: no such field, set to \"3\"; did you mean ERGON_ORDERS_")
      assert.include(
        error.message,
        "ERGON_ORDERS_PROCES_RETRY_MAX_ATTEMPTS: no such field, set to \"3\"; did you mean ERGON_ORDERS_PROCESS_RETRY_MAX_ATTEMPTS?"
      )
      assert.include(error.message, "ERGON_ORDERS_COLOUR: no such field")
    }))

  it.effect("leaves the variables of other tasks alone", () =>
    Effect.gen(function*() {
      const env = {
        ERGON_ORDERS_EU_LOOP_LIMIT: "3",
        ERGON_ORDERSX_ANYTHING: "3",
        ERGON_ORDERS_US_ODD: "3",
        ERGON_ORDERS_DATABASE: "x"
      }
      const policy = yield* fromEnvironment(env, { tasks: ["orders", "orders-us"], known: ["ERGON_ORDERS_DATABASE"] })
      assert.deepStrictEqual(policy, Policy.defaults)
      assert.lengthOf((yield* Effect.flip(fromEnvironment(env)) as Effect.Effect<Policy.PolicyError>).problems, 2)
    }))

  it.effect("reads a provider that cannot list its names", () =>
    Effect.gen(function*() {
      const provider = ConfigProvider.fromUnknown({ ERGON_ORDERS_LOOP_LIMIT: "4" })
      const input = yield* Effect.provideService(Policy.fromConfig("orders"), ConfigProvider.ConfigProvider, provider)
      assert.strictEqual(Policy.make(input).loop.limit, 4)
    }))
})

describe("fromStrings", () => {
  it.effect("reads fields by their paths", () =>
    Effect.gen(function*() {
      const input = yield* Policy.fromStrings({ "fetch.batch.size": "none", "loop.limit": "7", "loop.mode": undefined })
      assert.strictEqual(
        Policy.make(Policy.merge({ fetch: { batch: { size: 3 } } }, input)).fetch.batch.size,
        undefined
      )
      assert.strictEqual(input.loop?.limit, 7)
    }))

  it.effect("tells the nearest path", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Policy.fromStrings({ "loop.limits": "1" }))
      assert.include(error.message, "loop.limits: no such field, set to \"1\"; did you mean loop.limit?")
    }))

  it.effect("tells the field that a part of its path is near to", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Policy.fromStrings({
        concurency: "1",
        "retry.maxDeliveries": "1",
        unhealthy_grace: "1"
      }))
      assert.deepStrictEqual(error.problems.map((problem) => /did you mean (.*)\?/.exec(problem)?.[1]), [
        "loop.concurrency",
        undefined,
        "supervision.unhealthyGrace"
      ])
    }))
})

describe("current", () => {
  it.effect("is the defaults, or what is provided", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Policy.current, Policy.defaults)
      const policy = Policy.make({ loop: { concurrency: 7 } })
      assert.strictEqual(yield* Effect.provideService(Policy.current, Policy.Current, policy), policy)
    }))
})

class Flaky extends Context.Service<Flaky, { readonly call: Effect.Effect<string, string> }>()("Flaky") {}

const failing = (times: number, error: unknown = "busy") =>
  Effect.gen(function*() {
    const calls = yield* Ref.make(0)
    const call = Ref.updateAndGet(calls, (n) => n + 1).pipe(
      Effect.flatMap((n) => n <= times ? Effect.fail(error) : Effect.succeed(n))
    )
    return { call, calls: Ref.get(calls) }
  })

describe("apply", () => {
  it.effect("tries typed errors again, data first or piped", () =>
    Effect.gen(function*() {
      const flaky = yield* failing(2)
      assert.strictEqual(yield* Policy.apply(flaky.call, { retry: { maxAttempts: 3 } }, "Flaky.call"), 3)
      const piped = (yield* failing(2)).call.pipe(Policy.apply({ retry: { maxAttempts: 3 } }, "Flaky.call"))
      assert.strictEqual(yield* piped, 3)
    }))

  it.effect("fails with the last error, after maxAttempts tries", () =>
    Effect.gen(function*() {
      const flaky = yield* failing(9)
      const error = yield* Effect.flip(Policy.apply(flaky.call, { retry: { maxAttempts: 3 } }, "Flaky.call"))
      assert.deepStrictEqual([error, yield* flaky.calls], ["busy", 3])
    }))

  it.effect("every run starts to count anew", () =>
    Effect.gen(function*() {
      const flaky = yield* failing(9)
      const program = Policy.apply(flaky.call, { retry: { maxAttempts: 2 } }, "Flaky.call")
      yield* Effect.exit(program)
      yield* Effect.exit(program)
      assert.strictEqual(yield* flaky.calls, 4)
    }))

  it.effect.each([
    { name: "a defect", effect: Effect.die("broken") },
    { name: "an interruption of its own", effect: Effect.interrupt },
    { name: "what is not retryable", effect: Decision.nonRetryable("closed") },
    {
      name: "a connector's reason that is not retryable",
      effect: Effect.fail(new DispatchError({ reason: new InvalidRequest({ message: "too large" }) }))
    }
  ])("does not try $name again", ({ effect }) =>
    Effect.gen(function*() {
      const calls = yield* Ref.make(0)
      const call: Effect.Effect<void, unknown> = Effect.flatMap(
        Ref.update(calls, (n) => n + 1),
        (): Effect.Effect<never, unknown> => effect
      )
      const exit = yield* Effect.exit(Policy.apply(call, { retry: { maxAttempts: 5 } }, "Flaky.call"))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(yield* Ref.get(calls), 1)
    }))

  it.effect("tries a connector's retryable reason again", () =>
    Effect.gen(function*() {
      const flaky = yield* failing(1, new DispatchError({ reason: new ConnectionLost({ message: "gone" }) }))
      assert.strictEqual(yield* Policy.apply(flaky.call, { retry: { maxAttempts: 2 } }, "Flaky.call"), 2)
    }))

  it.effect("leaves a throttled connector alone for as long as it asks", () =>
    Effect.gen(function*() {
      const throttled = new DispatchError({ reason: new Throttled({ message: "slow down", retryAfter: 5000 }) })
      const flaky = yield* failing(1, throttled)
      const retry = { maxAttempts: 2, backoff: "1 second", cap: "2 seconds" } as const
      const fiber = yield* Effect.forkChild(Policy.apply(flaky.call, { retry }, "Flaky.call"))
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(yield* flaky.calls, 1)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(fiber), 2)
    }))

  it.effect("an attempt that takes too long is interrupted and tried again", () =>
    Effect.gen(function*() {
      const interrupted = yield* Ref.make(0)
      const hanging = Effect.onInterrupt(Effect.never, () => Ref.update(interrupted, (n) => n + 1))
      const fiber = yield* Effect.forkChild(
        Effect.flip(Policy.apply(hanging, { retry: { maxAttempts: 2 }, timeout: "2 seconds" }, "Flaky.call"))
      )
      yield* TestClock.adjust("4 seconds")
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, Policy.AttemptTimeout)
      assert.strictEqual(error.message, "Flaky.call did not end within 2 seconds")
      assert.strictEqual(yield* Ref.get(interrupted), 2)
    }))

  it.effect("runs in a span of its name that carries the latest attempt", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const flaky = yield* failing(1)
      yield* Policy.apply(flaky.call, { retry: { maxAttempts: 2 } }, "Flaky.call").pipe(
        Effect.provideService(Tracer.Tracer, tracer)
      )
      assert.deepStrictEqual(spans.map((span) => span.name), ["Flaky.call"])
      assert.strictEqual(spans[0]!.attributes.get("ergon.attempt"), 2)
    }))

  it.effect("keeps requirements and the cause of a defect", () =>
    Effect.gen(function*() {
      const call = Policy.apply(Flaky.use((flaky) => flaky.call), {}, "Flaky.call")
      const layer = Layer.succeed(Flaky, { call: Effect.die("broken") })
      const exit = yield* Effect.exit(Effect.provide(call, layer))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    }))

  it("refuses a policy that is not valid before anything runs", () => {
    assert.throws(
      () => Policy.apply(Effect.void, { retry: { maxAttempts: 0, cap: 0 } }, "Flaky.call"),
      "the policy has 2 problems:\n- retry.maxAttempts: 0 is not valid"
    )
    assert.throws(() => Policy.delays({ backoff: 5, cap: 1 }), "cap: 1 milli is not valid; expected at least backoff")
  })
})

describe("schedule", () => {
  it.effect("ends after the attempts, with their delays", () =>
    Effect.gen(function*() {
      const calls = yield* Ref.make(0)
      const schedule = Policy.schedule({ maxAttempts: 3, backoff: "1 second", multiplier: 2 })
      const fiber = yield* Effect.forkChild(Effect.repeat(Ref.update(calls, (n) => n + 1), schedule))
      yield* TestClock.adjust("2999 millis")
      assert.strictEqual(yield* Ref.get(calls), 2)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(fiber)
      assert.strictEqual(yield* Ref.get(calls), 3)
    }))
})

describe("fields", () => {
  it("name every field once, each with its own variable", () => {
    assert.strictEqual(new Set(Policy.fields.map(({ path }) => path)).size, Policy.fields.length)
    assert.strictEqual(new Set(Policy.fields.map(({ variable }) => variable)).size, Policy.fields.length)
    assert.deepInclude(Policy.fields, {
      path: "transaction.maxDeliveries",
      kind: "integer",
      default: "20",
      bounds: "at least 1",
      unit: "deliveries",
      doc: "What was delivered more often is dead-lettered without processing.",
      variable: "TRANSACTION_MAX_DELIVERIES"
    })
    for (const { bounds, default: text, doc } of Policy.fields)
      assert.isTrue(bounds !== "" && text !== "" && doc !== "")
  })
})

/**
 * Everything that listens: where spans, metrics and logs go, from one configuration, as one Layer.
 *
 * The names that the engine uses are `Telemetry` of @ergon/core; this module is named after what you get by it. It sends
 * through the processors and samplers of the OpenTelemetry SDK, and through any other that you hand in.
 *
 * A collector that is down, slow or refusing never stops, slows or grows the pipeline: what is waiting is bounded, what
 * does not fit is dropped, and one warning says so. It is used again when it is back.
 *
 * @since 0.1.0
 */
import type { LogRecordProcessor } from "@opentelemetry/sdk-logs"
import type { MetricReader } from "@opentelemetry/sdk-metrics"
import type { Sampler, SpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Run from "@ergon/core/Run"
import type * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { type Effective, isAsked } from "./internal/configuration/effective.ts"
import { variables as all } from "./internal/configuration/environment.ts"
import { merge as lay } from "./internal/configuration/merge.ts"
import { inputFromEnvironment, read, readWithEnvironment } from "./internal/configuration/read.ts"
import * as schema from "./internal/configuration/schema.ts"
import { unreadable } from "./internal/otlp/certificates.ts"
import { ObservabilityError } from "./ObservabilityError.ts"

/**
 * A configuration with every option decided: what a Layer is built from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observability extends Effective {}

/**
 * The configuration as code or JSON writes it: everything may be left out, at any depth, and `undefined` is the same as
 * left out. Durations are `Duration.Input`: a bare number is milliseconds in code and seconds in JSON.
 *
 * **Details**
 * - `enabled`: `false` switches everything off.
 * - `service`: `name` (else the task's), `version`, `namespace`. `attributes`: further ones of the resource.
 * - `otlp`: the collector. `endpoint` is the base that `/v1/traces`, `/v1/metrics` and `/v1/logs` are added to; `headers`
 *   are secret; `protocol`, `compression`; `timeout` for one export with all its retries; paths of PEM files in
 *   `certificate`, `clientKey`, `clientCertificate`. `otlp` of one signal goes before it; its `endpoint` is the whole URL.
 * - `traces`, `metrics`, `logs`: `exporters` is a list of `"otlp"`, `"console"` and further collectors, each with the
 *   whole URL as its `endpoint`, and headers of its own.
 * - `logs.console`: how lines look in the terminal; left out, the loggers that are there stay as they are. `logs.files`:
 *   files that rotate. Each has its `level`; `logs.level` is the one of the exporters.
 * - `shutdownTimeout`: the bound of the last flush, all signals together.
 *
 * The page docs/observability has every option with its default.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Input = schema.Input

/**
 * The type of the schema of the same name.
 *
 * @category models
 * @since 0.1.0
 */
export type Input = schema.Input

/**
 * Who runs, and what cannot be written as data.
 *
 * **Details**
 * - `task`: the service name where no other is given. `execution`: the id of this run, a random one when left out.
 *   `worker`: the number of the worker. `thread`: the number of a thread that works for it. The last three together are
 *   `service.instance.id`.
 * - The others are objects of the OpenTelemetry SDK, used beside what the configuration names: an exporter of a vendor, a
 *   sampler of your own (which replaces the configured one), or a `Recorder` in a test.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly task?: string | undefined
  readonly execution?: string | undefined
  readonly worker?: number | undefined
  readonly thread?: number | undefined
  readonly spanProcessors?: ReadonlyArray<SpanProcessor> | undefined
  readonly sampler?: Sampler | undefined
  readonly metricReaders?: ReadonlyArray<MetricReader> | undefined
  readonly logRecordProcessors?: ReadonlyArray<LogRecordProcessor> | undefined
}

/** The SDK is loaded once somebody asks for it: a program that has the Layer and no collector does not pay for it. */
const install = (
  config: Effective,
  options: Options
): Effect.Effect<Context.Context<never>, ObservabilityError, Scope.Scope> =>
  isAsked(config, options)
    ? Effect.flatMap(
      Effect.promise(() => import("./internal/install.ts")),
      (installing) => installing.install(config, options, options)
    )
    : Effect.succeed(Context.empty())

export { ObservabilityError } from "./ObservabilityError.ts"

/**
 * Decides every option that `input` leaves out.
 *
 * **Gotchas**
 * Throws an `ObservabilityError` that lists everything that is wrong.
 *
 * **Example** (What is sent where)
 * ```ts import.meta.vitest
 * import { Observability } from "@ergon/telemetry"
 *
 * const { traces } = Observability.make({ otlp: { endpoint: "http://collector:4318" } })
 * traces.exporters.map((exporter) => exporter.type === "otlp" ? exporter.url : "") // => ["http://collector:4318/v1/traces"]
 * traces.queue.size // => 2048
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: Input = {}): Observability =>
  Result.getOrThrow(read(input, { dialect: "code", eager: true }))

/**
 * Reads a configuration from JSON. A bare number of a duration is seconds. Fails with an `ObservabilityError` that lists
 * everything that is wrong.
 *
 * **Example** (Everything that is wrong)
 * ```ts import.meta.vitest
 * import { Observability } from "@ergon/telemetry"
 * import { Effect } from "effect"
 *
 * const wrong = Observability.decode({ traces: { sampler: { ratio: 7 } }, metric: {} })
 * Effect.runSync(Effect.flip(wrong)).problems.length // => 2
 * Effect.runSync(Observability.decode({ shutdownTimeout: 2 })).shutdownTimeout.toString() // => "2000 millis"
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (json: unknown): Effect.Effect<Observability, ObservabilityError> =>
  Effect.suspend(() => Effect.fromResult(read(json, { dialect: "json", eager: true })))

/**
 * What the standard `OTEL_*` variables say, and `ERGON_LOG_FORMAT` and `ERGON_LOG_FILE`, through the `ConfigProvider`. Blank is the same as not set. Fails with an
 * `ObservabilityError` that lists every variable whose value is not valid, and with the provider's own `SourceError`.
 *
 * **Example** (A variable)
 * ```ts import.meta.vitest
 * import { Observability } from "@ergon/telemetry"
 * import { ConfigProvider, Effect } from "effect"
 *
 * const environment = ConfigProvider.fromEnv({ env: { OTEL_TRACES_SAMPLER: "always_on", OTEL_BSP_MAX_QUEUE_SIZE: "9" } })
 * const input = Observability.fromConfig.pipe(
 *   Effect.provideService(ConfigProvider.ConfigProvider, environment)
 * )
 * Effect.runSync(input).traces // => { sampler: { kind: "always", parentBased: false }, queue: { size: 9 } }
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromConfig: Effect.Effect<Input, ObservabilityError | ConfigProvider.SourceError> = inputFromEnvironment

/**
 * Lays inputs over each other, option by option: later ones win, `undefined` lets the earlier one through, and lists are
 * replaced.
 *
 * **Example** (Laying one input over another)
 * ```ts import.meta.vitest
 * import { Observability } from "@ergon/telemetry"
 *
 * Observability.merge({ traces: { exporters: ["otlp"] } }, { traces: { exporters: ["console"], processor: "simple" } })
 * // => { traces: { exporters: ["console"], processor: "simple" } }
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const merge = (...inputs: ReadonlyArray<Input>): Input => lay(...inputs)

/**
 * An environment variable: the option that it sets, and what is valid.
 *
 * @category models
 * @since 0.1.0
 */
export interface Variable {
  readonly name: string
  readonly path: string
  readonly expected: string
}

/**
 * The variables that `fromConfig` reads.
 *
 * @category decoding
 * @since 0.1.0
 */
export const variables: ReadonlyArray<Variable> = all.map(({ expected, name, path }) => ({ name, path, expected }))

/**
 * Telemetry as the code says, switched on: with nothing said, all signals go to a collector at `http://localhost:4318`.
 * The environment is not read.
 *
 * **Details**
 * Put it around the task. Each Layer has a resource, a tracer and queues of its own, so two tasks in one process keep
 * theirs. What is left is sent when the Layer closes, also after a failure or a signal. Worst case of closing:
 * `shutdownTimeout` (3 seconds) for the signals, and as long again for log files on a disk that hangs.
 *
 * Fails with an `ObservabilityError`. Whether a collector answers is not known here, and never fails anything.
 *
 * **Example** (Recording in a test)
 * ```ts import.meta.vitest
 * import { Observability, Recorder } from "@ergon/telemetry"
 * import { Effect } from "effect"
 *
 * const recorder = Recorder.make()
 * const telemetry = Observability.layer(
 *   { traces: { exporters: [] }, metrics: { exporters: [] }, logs: { exporters: [] } },
 *   { task: "orders", spanProcessors: [recorder.spanProcessor] }
 * )
 * await Effect.runPromise(Effect.void.pipe(Effect.withSpan("work"), Effect.provide(telemetry)))
 * recorder.spans.map(({ name, resource }) => [name, resource.attributes["service.name"]]) // => [["work", "orders"]]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (input: Input = {}, options: Options = {}): Layer.Layer<never, ObservabilityError> =>
  Layer.effectContext(Effect.flatMap(
    Effect.suspend(() => Effect.fromResult(read(input, { dialect: "code", eager: true }))),
    (config) => install(config, options)
  ))

/**
 * Telemetry as the environment says, over what the code says. It is off until one of them names an endpoint or exporters:
 * `OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318` switches all signals on.
 *
 * **Details**
 * Everything else is as with `layer`. Fails with an `ObservabilityError` that lists everything that is wrong in both, and
 * with the provider's `SourceError`.
 *
 * **Example** (Off without a variable)
 * ```ts import.meta.vitest
 * import { Observability } from "@ergon/telemetry"
 * import { ConfigProvider, Effect, Tracer } from "effect"
 *
 * const isTraced = (env: Record<string, string>) =>
 *   Effect.map(Effect.tracer, (tracer) => tracer !== Tracer.Tracer.defaultValue()).pipe(
 *     Effect.provide(Observability.layerConfig({}, { task: "orders" })),
 *     Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env })),
 *     Effect.runPromise
 *   )
 * await isTraced({}) // => false
 * await isTraced({ OTEL_TRACES_EXPORTER: "console" }) // => true
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  input: Input = {},
  options: Options = {}
): Layer.Layer<never, ObservabilityError | ConfigProvider.SourceError> =>
  Layer.effectContext(Effect.flatMap(
    Effect.suspend(() => readWithEnvironment(input)),
    (config) => install(config, options)
  ))

/**
 * Telemetry for every run below, as the environment says, over what the code says: each run, of `Task.run`, `Workers.run` or
 * in a worker, has a `layerConfig` of its own, with the task, the execution and the worker in its resource.
 *
 * **Details**
 * It is open before the Layers of the run and closed after them, also after a failure or a signal. What is wrong with the
 * configuration is found when this Layer is built, before any run: it fails with an `ObservabilityError` that lists all of
 * it, and with the provider's `SourceError`. The command `ergon` has it built in.
 *
 * **Example** (Two tasks in one process)
 * ```ts import.meta.vitest
 * import { Task } from "@ergon/core"
 * import { Observability, Recorder } from "@ergon/telemetry"
 * import { Effect } from "effect"
 *
 * const recorder = Recorder.make()
 * const telemetry = Observability.layerRuns({}, { spanProcessors: [recorder.spanProcessor] })
 * const run = (name: string) => Task.run(Task.make(name, Effect.void))
 * await Effect.runPromise(Effect.all([run("a"), run("b")]).pipe(Effect.provide(telemetry)))
 * recorder.spans.map(({ name, resource }) => [name, resource.attributes["service.name"]]) // => [["run a", "a"], ["run b", "b"]]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRuns = (
  input: Input = {},
  options: Omit<Options, "task" | "execution" | "worker" | "thread"> = {}
): Layer.Layer<never, ObservabilityError | ConfigProvider.SourceError> =>
  Layer.effectContext(Effect.gen(function*() {
    const config = yield* readWithEnvironment(input)
    if (!isAsked(config, options)) return Context.empty()
    const problem = unreadable(config)
    if (problem !== undefined) return yield* new ObservabilityError({ problems: [problem] })
    return Context.make(Run.Surroundings, (identity) =>
      Layer.orDie(Layer.effectContext(install(config, { ...options, ...identity }))))
  }))

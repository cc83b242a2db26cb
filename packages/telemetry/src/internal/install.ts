/**
 * Builds everything that listens, from a configuration in which every option is decided, as the references that Effect
 * looks for: the tracer, the registry of metrics, the loggers.
 *
 * At the end the signals are flushed first, together and within `shutdownTimeout`; log files close last, because the
 * end itself may have something to say.
 */
import * as Telemetry from "@ergon/core/Telemetry"
import type { LogRecordProcessor } from "@opentelemetry/sdk-logs"
import type { MetricReader } from "@opentelemetry/sdk-metrics"
import type { Sampler, SpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { ObservabilityError } from "../ObservabilityError.ts"
import { closeAll, type Closing } from "./closing.ts"
import type { Effective } from "./configuration/effective.ts"
import type { Level } from "./configuration/schema.ts"
import { diagnostics } from "./diagnostics.ts"
import * as Otel from "./effectOtel.ts"
import * as line from "./logs/line.ts"
import type { RotatingFile } from "./logs/rotatingFile.ts"
import { type Change, Collectors } from "./otlp/collector.ts"
import { type Identity, resourceOf } from "./resource.ts"
import { consoleLogger, fileLogger, loggerProvider, openFile, recordLogger } from "./signals/logs.ts"
import { decidesAtHeads, decidingAtHeads } from "./signals/heads.ts"
import { metricReaders } from "./signals/metrics.ts"
import { Outlets } from "./signals/outlets.ts"
import { Registry } from "./signals/registry.ts"
import { tracerProvider } from "./signals/traces.ts"

/** Objects of the SDK beside what the configuration names. */
export interface Further {
  readonly spanProcessors?: ReadonlyArray<SpanProcessor> | undefined
  readonly sampler?: Sampler | undefined
  readonly metricReaders?: ReadonlyArray<MetricReader> | undefined
  readonly logRecordProcessors?: ReadonlyArray<LogRecordProcessor> | undefined
}

interface Leveled {
  readonly logger: Logger.Logger<unknown, void>
  readonly level: Level | undefined
}

const told = (change: Change): Effect.Effect<void> => {
  const { collector } = change
  return change.type === "down"
    ? Effect.logWarning(
      `the telemetry collector ${collector} does not take the ${change.signal}: ${change.reason}. ` +
        "Telemetry is dropped until it does; the pipeline goes on"
    )
    : Effect.logInfo(`the telemetry collector ${collector} is back; ${change.lost} spans and log records were lost`)
}

const lowest = (levels: ReadonlyArray<LogLevel.LogLevel>): LogLevel.LogLevel =>
  levels.reduce((least, level) => LogLevel.isLessThan(level, least) ? level : least)

interface Replaced {
  /** What the terminal shows has another form. */
  readonly console: boolean
  /** Lines are sent as log records with the ids of their span, and need not be events of that span as well. */
  readonly events: boolean
}

/** The loggers of a Layer beside those there were, and the level that lets through what any of them wants. */
const loggersOf = (leveled: ReadonlyArray<Leveled>, replaced: Replaced, around: Context.Context<never>) => {
  const minimum = Context.get(around, References.MinimumLogLevel)
  const levels = leveled.map(({ level }) => level).filter((level) => level !== undefined && level !== "None")
  const least = lowest([minimum, ...levels])
  const existing = [...Context.get(around, References.CurrentLoggers)].filter((logger) =>
    !(replaced.console && logger === Logger.defaultLogger) && !(replaced.events && logger === Logger.tracerLogger)
  )
  const isEnabled = (from: LogLevel.LogLevel) => (level: LogLevel.LogLevel) =>
    LogLevel.isGreaterThanOrEqualTo(level, from)
  return {
    minimum: least,
    loggers: new Set([
      // What is there already must not begin to say more because something else wants to know more.
      ...existing.map((logger) => least === minimum ? logger : line.from(logger, isEnabled(minimum))),
      ...leveled.filter(({ level }) => level !== "None").map(({ level, logger }) =>
        level === undefined && least === minimum ? logger : line.from(logger, isEnabled(level ?? minimum))
      )
    ])
  }
}

const openFiles = (config: Effective, attributes: { readonly [name: string]: unknown }) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const opened = config.logs.files.map((file) => ({ file, writer: openFile(file, attributes) }))
      // A process that is ended by force closes nothing.
      const atExit = () => {
        for (const { writer } of opened) writer.flushSync()
      }
      if (opened.length > 0) process.once("exit", atExit)
      return { opened, atExit }
    }),
    ({ atExit, opened }) =>
      Effect.promise(async () => {
        const files: ReadonlyArray<RotatingFile> = opened.map(({ writer }) => writer)
        await closeAll(files, undefined, config.shutdownTimeout)
        process.removeListener("exit", atExit)
      })
  ).pipe(Effect.map(({ opened }) => opened))

/** Reading a certificate is the only thing here that fails. */
const guarded = <A>(build: () => A): Effect.Effect<A, ObservabilityError> =>
  Effect.try({
    try: build,
    catch: (error) =>
      new ObservabilityError({ problems: [error instanceof Error ? error.message : "the exporters cannot be made"] })
  })

export const install = (
  config: Effective,
  identity: Identity,
  further: Further
): Effect.Effect<Context.Context<never>, ObservabilityError, Scope.Scope> =>
  Effect.gen(function*() {
    const around = yield* Effect.context<never>()
    const resource = resourceOf(config, identity)
    yield* diagnostics(config.diagnostics)
    const files = yield* openFiles(config, resource.attributes)

    let services = around
    const tell = (effect: Effect.Effect<void>): void => {
      Effect.runForkWith(services)(effect)
    }
    const outlets = new Outlets(new Collectors((change) => tell(told(change))))
    const registry = new Registry(Context.get(around, Metric.MetricRegistry))

    const { logs, readers, traces } = yield* Effect.acquireRelease(
      Effect.gen(function*() {
        const providers = yield* guarded(() => ({
          traces: tracerProvider(config.traces, resource, outlets, {
            processors: further.spanProcessors ?? [],
            sampler: further.sampler
          }),
          logs: loggerProvider(config.logs, resource, outlets, further.logRecordProcessors ?? [])
        }))
        const readers = yield* Effect.flatten(
          guarded(() => metricReaders(config.metrics, resource, registry, outlets, further.metricReaders ?? []))
        )
        return { ...providers, readers }
      }),
      ({ logs, readers, traces }) => {
        const providers = [traces, logs].filter((provider) => provider !== undefined)
        const closings: ReadonlyArray<Closing> = [
          ...providers.map((provider) => ({
            close: () => provider.forceFlush().catch(() => undefined).then(() => provider.shutdown())
          })),
          ...readers.map((reader) => ({ close: () => reader.shutdown() }))
        ]
        return Effect.map(Effect.promise(() => closeAll(closings, outlets, config.shutdownTimeout)), (inTime) => {
          if (inTime) return
          tell(Effect.logWarning(
            `telemetry was not sent within ${Duration.format(config.shutdownTimeout)}: what was left is lost`
          ))
        })
      }
    )

    const leveled: Array<Leveled> = files.map(({ file, writer }) => ({
      logger: fileLogger(writer, file),
      level: file.level
    }))
    if (logs !== undefined) leveled.push({ logger: recordLogger(logs), level: config.logs.level })
    const { console } = config.logs
    if (console !== undefined) leveled.push({ logger: consoleLogger(console), level: console.level })
    const { loggers, minimum } = loggersOf(
      leveled,
      { console: console !== undefined, events: logs !== undefined },
      around
    )

    let built: Context.Context<never> = Context.make(References.CurrentLoggers, loggers).pipe(
      Context.add(References.MinimumLogLevel, minimum)
    )
    if (console !== undefined) built = Context.add(built, References.LogToStderr, console.stream === "stderr")
    if (readers.length > 0) {
      built = Context.add(built, Metric.MetricRegistry, registry).pipe(Context.add(Telemetry.Histograms, true))
    }
    services = Context.merge(around, built)
    if (traces === undefined) return built

    const tracer = yield* Effect.provide(
      Otel.makeTracer,
      Layer.provide(Otel.layerTracer, Layer.succeed(Otel.OtelTracerProvider, traces))
    )
    const decides = further.sampler === undefined && decidesAtHeads(config.traces.sampler)
    if (!decides) return Context.add(built, Tracer.Tracer, tracer)
    const random = Context.get(around, Random.Random)
    const deciding = decidingAtHeads(tracer, config.traces.sampler.ratio, () => random.nextDoubleUnsafe())
    return Context.add(built, Tracer.Tracer, deciding)
  })

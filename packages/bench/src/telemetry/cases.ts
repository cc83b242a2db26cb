/**
 * The same task under four kinds of telemetry. The program does nothing; a transaction has one attempt.
 */
import { type Connector, Telemetry } from "@ergon/core"
import { Observability } from "@ergon/telemetry"
import { BatchSpanProcessor, type SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Tracer } from "effect"
import { ergon } from "../engine/ergon.ts"

/** Takes everything, and keeps nothing: what the exporter of a collector would cost is not the engine's. */
const discarding = (): SpanExporter => ({
  export: (_, done) => done({ code: 0 }),
  shutdown: () => Promise.resolve()
})

const nothing = { traces: { exporters: [] }, metrics: { exporters: [] }, logs: { exporters: [] } } as const

/** The processor of the SDK, with a queue that holds what comes between two of its turns. */
const traced = (ratio: number) =>
  Observability.layer(
    { ...nothing, traces: { exporters: [], sampler: { kind: "ratio", ratio, parentBased: true } } },
    {
      task: "bench",
      spanProcessors: [new BatchSpanProcessor(discarding(), { maxQueueSize: 1_000_000, maxExportBatchSize: 10_000 })]
    }
  )

// Streaming, so that every transaction is a trace of its own, and the sampler decides about each.
const policy = { loop: { concurrency: 64, streaming: true } }

export interface Case {
  readonly name: string
  readonly run: (source: Connector.SourceService) => Effect.Effect<unknown, unknown>
}

/** The spans of a transaction as code would write them: the same names, the same attributes. */
const byHand = (tracer: Tracer.Tracer) => () =>
  Effect.void.pipe(
    Effect.withSpan(Telemetry.spans.process.name, { attributes: { [Telemetry.attributes.attempt]: 1 } }),
    Effect.andThen(Effect.withSpan(Effect.void, "settle payloads", {
      kind: "client",
      attributes: {
        [Telemetry.attributes.operation]: "settle",
        [Telemetry.attributes.operationType]: "settle",
        [Telemetry.attributes.destination]: "payloads",
        [Telemetry.attributes.disposition]: "Ack",
        [Telemetry.attributes.attempt]: 1,
        [Telemetry.attributes.batchSize]: 64
      }
    })),
    Effect.withSpan("transaction payloads", {
      kind: "consumer",
      root: true,
      attributes: {
        [Telemetry.attributes.task]: "bench",
        [Telemetry.attributes.messageId]: "p-1",
        [Telemetry.attributes.deliveries]: 0,
        [Telemetry.attributes.operation]: "process",
        [Telemetry.attributes.operationType]: "process",
        [Telemetry.attributes.destination]: "payloads",
        [Telemetry.attributes.outcome]: "succeeded",
        [Telemetry.attributes.disposition]: "Ack",
        [Telemetry.attributes.attempts]: 1
      }
    }),
    Effect.provideService(Tracer.Tracer, tracer)
  )

export const cases: ReadonlyArray<Case> = [
  { name: "off", run: (source) => ergon(source, policy) },
  { name: "sampled at 1 %", run: (source) => Effect.provide(ergon(source, policy), traced(0.01)) },
  { name: "full", run: (source) => Effect.provide(ergon(source, policy), traced(1)) },
  {
    name: "with Effect.withSpan",
    run: (source) =>
      Effect.flatMap(
        Layer.build(traced(1)),
        (telemetry) =>
          Effect.flatMap(Effect.provide(Effect.tracer, telemetry), (tracer) => ergon(source, policy, byHand(tracer)))
      ).pipe(Effect.scoped)
  },
  {
    name: "durations kept",
    run: (source) => Effect.provideService(ergon(source, policy), Telemetry.Histograms, true)
  }
]

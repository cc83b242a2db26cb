/**
 * Where spans go.
 */
import { TraceFlags } from "@opentelemetry/api"
import type { Resource } from "@opentelemetry/resources"
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type Sampler,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor
} from "@opentelemetry/sdk-trace-base"
import * as Duration from "effect/Duration"
import type { Effective, Exporter } from "../configuration/effective.ts"
import { consoleSpans } from "../otlp/console.ts"
import { serializers } from "../otlp/exporter.ts"
import type { Outlets } from "./outlets.ts"
import { samplerOf } from "./sampler.ts"
import { Waiting } from "./waiting.ts"

const batched = (exporter: SpanExporter, queue: Effective["traces"]["queue"]): SpanProcessor =>
  new BatchSpanProcessor(exporter, {
    maxQueueSize: queue.size,
    maxExportBatchSize: queue.batch,
    scheduledDelayMillis: Duration.toMillis(queue.delay),
    exportTimeoutMillis: Duration.toMillis(queue.timeout)
  })

const processorOf = (exporter: Exporter, traces: Effective["traces"], outlets: Outlets): SpanProcessor => {
  const make = (exporter: SpanExporter) =>
    traces.processor === "simple" ? new SimpleSpanProcessor(exporter) : batched(exporter, traces.queue)
  if (exporter.type === "console") return make(consoleSpans())
  const outlet = outlets.open("traces", exporter, serializers.traces(exporter))
  if (traces.processor === "simple") return make(outlet)
  const waiting = new Waiting(traces.queue.size, outlet)
  const processor = make(waiting.counting())
  return {
    onStart: (span, context) => processor.onStart(span, context),
    onEnd: (span) => {
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0) waiting.add()
      processor.onEnd(span)
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown()
  }
}

/** `undefined` when spans would go nowhere. */
export const tracerProvider = (
  traces: Effective["traces"],
  resource: Resource,
  outlets: Outlets,
  further: { readonly processors: ReadonlyArray<SpanProcessor>; readonly sampler: Sampler | undefined }
): BasicTracerProvider | undefined => {
  const spanProcessors = [
    ...traces.exporters.map((exporter) => processorOf(exporter, traces, outlets)),
    ...further.processors
  ]
  return spanProcessors.length === 0
    ? undefined
    : new BasicTracerProvider({ resource, spanProcessors, sampler: further.sampler ?? samplerOf(traces.sampler) })
}

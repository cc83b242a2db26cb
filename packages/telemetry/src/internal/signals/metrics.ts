/**
 * Where metrics go.
 */
import * as Telemetry from "@ergon/core/Telemetry"
import type { Resource } from "@opentelemetry/resources"
import {
  type CollectionResult,
  type MetricData,
  type MetricProducer,
  type MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter
} from "@opentelemetry/sdk-metrics"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Effective, Exporter } from "../configuration/effective.ts"
import * as Otel from "../effectOtel.ts"
import { consoleMetrics } from "../otlp/console.ts"
import { serializers } from "../otlp/exporter.ts"
import type { Outlets } from "./outlets.ts"

const exporterOf = (exporter: Exporter, outlets: Outlets): PushMetricExporter =>
  exporter.type === "console" ? consoleMetrics() : outlets.open("metrics", exporter, serializers.metrics(exporter))

const withoutUnit = <Point extends MetricData["dataPoints"][number]>(point: Point): Point => {
  const { time_unit: _timeUnit, unit: _unit, ...attributes } = point.attributes
  return { ...point, attributes }
}

const units: ReadonlyMap<string, string> = new Map(
  Object.values(Telemetry.metrics).map(({ name, unit }) => [name, unit])
)

/**
 * The unit of the engine's metrics stands beside their names. Effect tells the one of others as an attribute, which
 * stands in the descriptor by now and is no label.
 */
const described = (data: MetricData): MetricData => {
  const unit = units.get(data.descriptor.name) ?? data.descriptor.unit
  // The union is told apart by the type of its points, which stays as it is.
  return {
    ...data,
    descriptor: { ...data.descriptor, unit },
    dataPoints: data.dataPoints.map(withoutUnit)
  } as MetricData
}

class Producer implements MetricProducer {
  readonly #producer: MetricProducer

  constructor(producer: MetricProducer) {
    this.#producer = producer
  }

  async collect(): Promise<CollectionResult> {
    const { errors, resourceMetrics } = await this.#producer.collect()
    const scopeMetrics = resourceMetrics.scopeMetrics.map(({ metrics, scope }) => ({
      scope,
      metrics: metrics.map(described)
    })).filter(({ metrics }) => metrics.length > 0)
    return { errors, resourceMetrics: { ...resourceMetrics, scopeMetrics } }
  }
}

/** The readers, each with a producer of its own: what a delta is since the last export differs. */
export const metricReaders = (
  metrics: Effective["metrics"],
  resource: Resource,
  registry: Metric.MetricRegistry,
  outlets: Outlets,
  further: ReadonlyArray<MetricReader>
): Effect.Effect<ReadonlyArray<MetricReader>> =>
  Effect.forEach([
    ...metrics.exporters.map((exporter) =>
      new PeriodicExportingMetricReader({
        exporter: exporterOf(exporter, outlets),
        exportIntervalMillis: Duration.toMillis(metrics.interval),
        exportTimeoutMillis: Duration.toMillis(metrics.timeout)
      })
    ),
    ...further
  ], (reader) =>
    Effect.map(
      Effect.provideService(
        Effect.provideService(Otel.makeProducer(metrics.temporality), Metric.MetricRegistry, registry),
        Otel.Resource,
        resource
      ),
      (producer) => {
        reader.setMetricProducer(new Producer(producer))
        return reader
      }
    ))

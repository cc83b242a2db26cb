/**
 * An exporter of the SDK for one signal: it serializes what it is given and sends it.
 */
import { type ExportResult, ExportResultCode } from "@opentelemetry/core"
import {
  type ISerializer,
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer
} from "@opentelemetry/otlp-transformer"
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs"
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import type { OtlpExporter } from "../configuration/effective.ts"
import type { Collector } from "./collector.ts"
import type { Transport } from "./transport.ts"

export type Serializer<Items> = ISerializer<Items, { readonly partialSuccess?: object }>

export const serializers = {
  traces: ({ protocol }: OtlpExporter): Serializer<Array<ReadableSpan>> =>
    protocol === "http/json" ? JsonTraceSerializer : ProtobufTraceSerializer,
  metrics: ({ protocol }: OtlpExporter): Serializer<ResourceMetrics> =>
    protocol === "http/json" ? JsonMetricsSerializer : ProtobufMetricsSerializer,
  logs: ({ protocol }: OtlpExporter): Serializer<Array<ReadableLogRecord>> =>
    protocol === "http/json" ? JsonLogsSerializer : ProtobufLogsSerializer
}

const failure = (reason: string): ExportResult => ({ code: ExportResultCode.FAILED, error: new Error(reason) })

/** How many of the items a collector that took the request did not take. */
const rejected = (answer: { readonly partialSuccess?: object }): number =>
  Object.entries(answer.partialSuccess ?? {}).reduce(
    (sum, [key, value]) => key.startsWith("rejected") ? sum + Number(value) : sum,
    0
  )

export class OtlpSignalExporter<Items> {
  readonly #signal: string
  readonly #serializer: Serializer<Items>
  readonly #transport: Transport
  readonly #collector: Collector
  readonly #underWay = new Set<Promise<void>>()

  constructor(signal: string, serializer: Serializer<Items>, transport: Transport, collector: Collector) {
    this.#signal = signal
    this.#serializer = serializer
    this.#transport = transport
    this.#collector = collector
  }

  /** What waits for this exporter was too much. */
  dropped(): void {
    this.#collector.dropped(this.#signal)
  }

  export(items: Items, done: (result: ExportResult) => void): void {
    const sending = this.#finish(items, done)
    this.#underWay.add(sending)
    void sending.finally(() => this.#underWay.delete(sending))
  }

  async forceFlush(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  shutdown(): Promise<void> {
    return this.forceFlush()
  }

  async #finish(items: Items, done: (result: ExportResult) => void): Promise<void> {
    const reason = await this.#send(items)
    if (reason === undefined) this.#collector.succeeded(this.#signal)
    else this.#collector.failed(this.#signal, reason, Array.isArray(items) ? items.length : 0)
    done(reason === undefined ? { code: ExportResultCode.SUCCESS } : failure(reason))
  }

  /** Why it failed, if it did. */
  async #send(items: Items): Promise<string | undefined> {
    let body: Uint8Array | undefined
    try {
      body = this.#serializer.serializeRequest(items)
    } catch {
      return "something in it cannot be serialized"
    }
    if (body === undefined) return "something in it cannot be serialized"
    const sent = await this.#transport.send(body)
    if (!sent.ok) return sent.reason
    const refused = sent.body.byteLength === 0 ? 0 : this.#refused(sent.body)
    return refused === 0 ? undefined : `it refused ${refused} of the ${this.#signal} it was sent`
  }

  #refused(body: Uint8Array): number {
    try {
      return rejected(this.#serializer.deserializeResponse(body))
    } catch {
      // An answer that says nothing understandable is still the answer 2xx.
      return 0
    }
  }
}

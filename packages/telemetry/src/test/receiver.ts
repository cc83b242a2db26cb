/**
 * An OTLP/HTTP receiver on loopback: JSON and protobuf, plain and gzip, also over TLS. How it answers can be changed while it
 * runs.
 *
 * Run as a program it is a collector of its own process, that can be stopped and killed: it prints its port, and then a
 * line for every request.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import { createServer as createSecureServer, type ServerOptions } from "node:https"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"
import { decode, requests } from "./protobuf.ts"

export interface Request {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
}

type Attributes = Record<string, unknown>

export interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly kind: number
  readonly status: number
  readonly attributes: Attributes
  readonly resource: Attributes
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: Attributes }>
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
}

export interface Metric {
  readonly name: string
  readonly unit: string
  readonly resource: Attributes
  readonly points: ReadonlyArray<{ readonly attributes: Attributes; readonly value: number; readonly buckets: unknown }>
}

export interface Log {
  readonly body: unknown
  readonly severity: string
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Attributes
  readonly resource: Attributes
}

export type Answer = (response: ServerResponse) => void

export interface Receiver {
  readonly url: string
  readonly port: number
  readonly requests: ReadonlyArray<Request>
  readonly spans: ReadonlyArray<Span>
  readonly metrics: ReadonlyArray<Metric>
  readonly logs: ReadonlyArray<Log>
  readonly answer: (answer: Answer) => void
  /** Resolves as soon as the condition holds; looked at after every request. */
  readonly until: (condition: (receiver: Receiver) => boolean) => Promise<void>
  readonly close: () => Promise<void>
}

export const ok: Answer = (response) => {
  response.setHeader("content-type", "application/json")
  response.end("{}")
}

export const status = (code: number): Answer => (response) => {
  response.statusCode = code
  response.end()
}

// The JSON of a request, as far as it is looked at.
interface Raw {
  readonly [name: string]: unknown
}

const list = (value: unknown): ReadonlyArray<Raw> => value === undefined ? [] : value as ReadonlyArray<Raw>
const object = (value: unknown): Raw => (value ?? {}) as Raw
const text = (value: unknown): string => typeof value === "string" ? value : ""

const plain = (value: Raw | undefined): unknown => {
  if (value === undefined) return undefined
  if (value["arrayValue"] !== undefined) return list(object(value["arrayValue"])["values"]).map(plain)
  if (value["kvlistValue"] !== undefined) return attributesOf(object(value["kvlistValue"])["values"])
  if (value["intValue"] !== undefined) return Number(value["intValue"])
  return value["stringValue"] ?? value["boolValue"] ?? value["doubleValue"]
}

const attributesOf = (value: unknown): Attributes =>
  Object.fromEntries(list(value).map((one) => [text(one["key"]), plain(object(one["value"]))]))

/** What is in a request: every item with the resource that it came under. */
const items = (body: Raw, all: string, each: string, name: string) =>
  list(body[all]).flatMap((group) =>
    list(group[each]).flatMap((scope) =>
      list(scope[name]).map((item) => ({ item, resource: attributesOf(object(group["resource"])["attributes"]) }))
    )
  )

const spansOf = (body: Raw): ReadonlyArray<Span> =>
  items(body, "resourceSpans", "scopeSpans", "spans").map(({ item, resource }) => ({
    name: text(item["name"]),
    traceId: text(item["traceId"]),
    spanId: text(item["spanId"]),
    parentSpanId: text(item["parentSpanId"]),
    kind: Number(item["kind"]),
    status: Number(object(item["status"])["code"] ?? 0),
    attributes: attributesOf(item["attributes"]),
    resource,
    events: list(item["events"]).map((event) => ({
      name: text(event["name"]),
      attributes: attributesOf(event["attributes"])
    })),
    links: list(item["links"]).map((link) => ({ traceId: text(link["traceId"]), spanId: text(link["spanId"]) }))
  }))

const metricsOf = (body: Raw): ReadonlyArray<Metric> =>
  items(body, "resourceMetrics", "scopeMetrics", "metrics").map(({ item, resource }) => ({
    name: text(item["name"]),
    unit: text(item["unit"]),
    resource,
    points: list(object(item["sum"] ?? item["gauge"] ?? item["histogram"])["dataPoints"]).map((point) => ({
      attributes: attributesOf(point["attributes"]),
      value: Number(point["asDouble"] ?? point["asInt"] ?? point["count"] ?? 0),
      buckets: point["bucketCounts"]
    }))
  }))

const logsOf = (body: Raw): ReadonlyArray<Log> =>
  items(body, "resourceLogs", "scopeLogs", "logRecords").map(({ item, resource }) => ({
    body: plain(object(item["body"])),
    severity: text(item["severityText"]),
    traceId: text(item["traceId"]),
    spanId: text(item["spanId"]),
    attributes: attributesOf(item["attributes"]),
    resource
  }))

const parse = (path: string, type: string, body: Buffer): Record<string, unknown> => {
  if (type === "application/json") return JSON.parse(body.toString("utf8"))
  if (type !== "application/x-protobuf") throw new Error(`content type ${type}`)
  const signal = path.split("/").at(-1)
  if (signal !== "traces" && signal !== "metrics" && signal !== "logs") throw new Error(`path ${path}`)
  return decode(body, requests[signal])
}

export interface Options {
  readonly port?: number
  readonly onRequest?: (request: Request) => void
  /** Over HTTPS, with these certificates. */
  readonly tls?: ServerOptions
}

export const receive = (options: Options = {}) =>
  new Promise<Receiver>((resolve, reject) => {
    const received: Array<Request> = []
    const spans: Array<Span> = []
    const metrics: Array<Metric> = []
    const logs: Array<Log> = []
    const waiting = new Set<() => void>()
    let answer = ok
    const answering = (request: IncomingMessage, response: ServerResponse): void => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
        try {
          const raw = Buffer.concat(chunks)
          const path = request.url ?? ""
          const bytes = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw
          const body = parse(path, request.headers["content-type"] ?? "", bytes)
          const one = { path, headers: request.headers, body }
          received.push(one)
          if (answer === ok) {
            spans.push(...spansOf(body))
            metrics.push(...metricsOf(body))
            logs.push(...logsOf(body))
          }
          options.onRequest?.(one)
          answer(response)
        } catch (error) {
          response.statusCode = 400
          response.end(String(error))
        }
        for (const look of waiting) look()
      })
    }
    const { tls } = options
    const server = tls === undefined ? createServer(answering) : createSecureServer(tls, answering)
    server.on("error", reject)
    server.listen(options.port ?? 0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      const receiver: Receiver = {
        url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
        port,
        requests: received,
        spans,
        metrics,
        logs,
        answer: (next) => {
          answer = next
        },
        until: (condition) =>
          new Promise((resolve) => {
            const look = () => {
              if (!condition(receiver)) return
              waiting.delete(look)
              resolve()
            }
            waiting.add(look)
            look()
          }),
        close: () =>
          new Promise((resolve) => {
            server.close(() => resolve())
            server.closeAllConnections()
          })
      }
      resolve(receiver)
    })
  })

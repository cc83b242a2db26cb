/**
 * A small collector: it takes what a program sends by OTLP over HTTP, as JSON, and keeps spans and log lines in memory.
 * It is for looking at one run on one machine; what is there for longer is an OpenTelemetry collector.
 */
import { Effect, Schema } from "effect"
import { createServer, type IncomingMessage } from "node:http"
import { text } from "node:stream/consumers"

const Value = Schema.Struct({
  stringValue: Schema.optionalKey(Schema.String),
  intValue: Schema.optionalKey(Schema.Union([Schema.Number, Schema.String])),
  doubleValue: Schema.optionalKey(Schema.Number),
  boolValue: Schema.optionalKey(Schema.Boolean)
})
const Attributes = Schema.optionalKey(Schema.Array(Schema.Struct({ key: Schema.String, value: Value })))
const Resource = Schema.optionalKey(Schema.Struct({ attributes: Attributes }))

const Traces = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({
    resource: Resource,
    scopeSpans: Schema.Array(Schema.Struct({
      spans: Schema.Array(Schema.Struct({
        traceId: Schema.String,
        spanId: Schema.String,
        parentSpanId: Schema.optionalKey(Schema.String),
        name: Schema.String,
        startTimeUnixNano: Schema.String,
        endTimeUnixNano: Schema.String,
        attributes: Attributes,
        links: Schema.optionalKey(Schema.Array(Schema.Struct({ traceId: Schema.String, spanId: Schema.String }))),
        status: Schema.optionalKey(
          Schema.Struct({ code: Schema.optionalKey(Schema.Number), message: Schema.optionalKey(Schema.String) })
        )
      }))
    }))
  }))
})

const Logs = Schema.Struct({
  resourceLogs: Schema.Array(Schema.Struct({
    scopeLogs: Schema.Array(Schema.Struct({
      logRecords: Schema.Array(Schema.Struct({
        timeUnixNano: Schema.String,
        severityText: Schema.optionalKey(Schema.String),
        body: Schema.optionalKey(Value),
        traceId: Schema.optionalKey(Schema.String),
        spanId: Schema.optionalKey(Schema.String)
      }))
    }))
  }))
})

const readTraces = Schema.decodeUnknownEffect(Schema.fromJsonString(Traces))
const readLogs = Schema.decodeUnknownEffect(Schema.fromJsonString(Logs))

/** Times are milliseconds since 1970. */
export interface Span {
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string | undefined
  readonly name: string
  readonly start: number
  readonly end: number
  readonly attributes: { readonly [key: string]: string }
  /** The ids of the spans that it is linked to. */
  readonly links?: ReadonlyArray<string> | undefined
  /** What it failed with; `undefined` when it did not. */
  readonly error?: string | undefined
}

export interface Line {
  readonly spanId: string
  readonly at: number
  readonly level: string
  readonly text: string
}

export interface Receiver {
  readonly url: string
  readonly spans: ReadonlyArray<Span>
  readonly lines: ReadonlyArray<Line>
}

const millis = (nanos: string): number => Number(BigInt(nanos) / 1000n) / 1000

const plain = (value: typeof Value.Type | undefined): string =>
  String(value?.stringValue ?? value?.intValue ?? value?.doubleValue ?? value?.boolValue ?? "")

const attributesOf = (attributes: typeof Attributes.Type = []): { readonly [key: string]: string } =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]))

const errorStatus = 2

const spansOf = ({ resourceSpans }: typeof Traces.Type): ReadonlyArray<Span> =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((
        { attributes, endTimeUnixNano, links, name, parentSpanId, spanId, startTimeUnixNano, status, traceId }
      ) => ({
        service: attributesOf(resource?.attributes)["service.name"] ?? "",
        traceId,
        spanId,
        parentSpanId: parentSpanId === "" ? undefined : parentSpanId,
        name,
        start: millis(startTimeUnixNano),
        end: millis(endTimeUnixNano),
        attributes: attributesOf(attributes),
        links: links?.map((link) => link.spanId),
        error: status?.code === errorStatus ? status.message ?? "" : undefined
      }))
    )
  )

const linesOf = ({ resourceLogs }: typeof Logs.Type): ReadonlyArray<Line> =>
  resourceLogs.flatMap(({ scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map(({ body, severityText, spanId, timeUnixNano }) => ({
        spanId: spanId ?? "",
        at: millis(timeUnixNano),
        level: severityText ?? "",
        text: plain(body)
      }))
    )
  )

/** Listens on a free port of the loopback interface until its scope closes. */
export const make = Effect.gen(function*() {
  const spans: Array<Span> = []
  const lines: Array<Line> = []
  const take = (path: string | undefined, body: string) =>
    path === "/v1/traces"
      ? Effect.map(readTraces(body), (traces) => void spans.push(...spansOf(traces)))
      : path === "/v1/logs"
      ? Effect.map(readLogs(body), (logs) => void lines.push(...linesOf(logs)))
      : Effect.void
  const answer = (request: IncomingMessage) =>
    Effect.tryPromise(() => text(request)).pipe(
      Effect.flatMap((body) => take(request.url, body)),
      Effect.match({ onSuccess: () => 200, onFailure: () => 400 })
    )
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer((request, response) => {
        Effect.runFork(Effect.map(answer(request), (status) => response.writeHead(status).end("{}")))
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, spans, lines } satisfies Receiver
})

/** All spans of the traces that have a span of this name in them: the fetches of a run are in the trace of the run. */
export const tracesOf = ({ spans }: Receiver, name: string): ReadonlyArray<Span> => {
  const ids = new Set(spans.filter((span) => span.name === name).map(({ traceId }) => traceId))
  return spans.filter(({ traceId }) => ids.has(traceId))
}

/**
 * The trace context of W3C in the metadata of transactions and at other boundaries: `traceparent`,
 * `00-<trace id>-<span id>-<flags>`; `tracestate`, which belongs to the trace; and `baggage`, which is passed on as it is.
 */
import * as Tracer from "effect/Tracer"
import type { Headers } from "../../Telemetry.ts"
import * as Transaction from "../../Transaction.ts"

const form = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-|$)/

/** The span of whoever made the transaction; `undefined` when it does not say, or not so that it can be read. */
export const producerOf = (metadata: Transaction.Metadata): Tracer.ExternalSpan | undefined => {
  const text = metadata["traceparent"]
  const [, traceId, spanId, flags] = typeof text === "string" ? form.exec(text) ?? [] : []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (parseInt(flags, 16) & 1) === 1 })
}

const traceparentOf = (span: Tracer.AnySpan): string =>
  `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`

const isTraceId = /^(?!0{32})[0-9a-f]{32}$/
const isSpanId = /^(?!0{16})[0-9a-f]{16}$/

/** The trace context that a transaction came with. */
export const headersIn = ({ baggage, traceparent, tracestate }: Transaction.Metadata): Headers => ({
  ...(typeof traceparent === "string" ? { traceparent } : {}),
  ...(typeof tracestate === "string" ? { tracestate } : {}),
  ...(typeof baggage === "string" ? { baggage } : {})
})

/** What goes along with a call from below this span, while something is worked on that came with `carried`. */
export const headersOf = (span: Tracer.AnySpan | undefined, carried: Headers): Headers => {
  const { baggage, tracestate } = carried
  const passedOn = baggage === undefined ? {} : { baggage }
  // A span that was made while tracing is off has ids that are none.
  if (span === undefined || !isTraceId.test(span.traceId) || !isSpanId.test(span.spanId)) return passedOn
  // Within one trace, what its vendors say of it goes along.
  const isOfTrace = tracestate !== undefined && producerOf({ ...carried })?.traceId === span.traceId
  return { traceparent: traceparentOf(span), ...(isOfTrace ? { tracestate } : {}), ...passedOn }
}

/**
 * Lets a transaction carry a span, so that whoever consumes it can link to it, and the baggage of what it was made from.
 * One that has a trace context of its own keeps it, unless it was only copied from what it was made from.
 */
export const carrying = <A>(
  transaction: Transaction.Transaction<A>,
  span: Tracer.AnySpan,
  from: Headers = {}
): Transaction.Transaction<A> => {
  const { baggage: _baggage, traceparent, tracestate: _tracestate, ...rest } = transaction.metadata
  if (traceparent !== undefined && traceparent !== from.traceparent) return transaction
  const own = { ...from, ...headersIn(transaction.metadata) }
  return Transaction.make(transaction.id, transaction.payload, { ...rest, ...headersOf(span, own) })
}

/**
 * The trace context of W3C in the metadata of transactions: `traceparent`, `00-<trace id>-<span id>-<flags>`, and
 * `baggage`, which is passed on as it is.
 */
import * as Tracer from "effect/Tracer"
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

/**
 * Lets a transaction carry a span, so that whoever consumes it can link to it, and the baggage of what it was made from.
 * One that has a trace context of its own keeps it, unless it was only copied from what it was made from.
 */
export const carrying = <A>(
  transaction: Transaction.Transaction<A>,
  span: Tracer.AnySpan,
  from: Transaction.Metadata = {}
): Transaction.Transaction<A> => {
  const { baggage, traceparent, tracestate, ...rest } = transaction.metadata
  if (traceparent !== undefined && traceparent !== from["traceparent"]) return transaction
  const carried = baggage ?? from["baggage"]
  return Transaction.make(transaction.id, transaction.payload, {
    ...rest,
    traceparent: traceparentOf(span),
    // Within one trace, what its vendors say of it goes along.
    ...(tracestate ?? from["tracestate"]) !== undefined && producerOf(from)?.traceId === span.traceId
      ? { tracestate: (tracestate ?? from["tracestate"])! }
      : {},
    ...carried === undefined ? {} : { baggage: carried }
  })
}

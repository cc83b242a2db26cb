/**
 * The span in which a line was logged.
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

// A span made while tracing is off has ids such as "noop", which a collector may refuse a whole batch for.
const isTraceId = (text: string): boolean => /^(?!0{32})[0-9a-f]{32}$/.test(text)
const isSpanId = (text: string): boolean => /^(?!0{16})[0-9a-f]{16}$/.test(text)

/** The nearest span with ids that mean something. */
export const spanOf = (fiber: Fiber.Fiber<unknown, unknown>): Tracer.AnySpan | undefined => {
  let span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  while (span !== undefined && !(isTraceId(span.traceId) && isSpanId(span.spanId))) {
    span = span._tag === "Span" ? Option.getOrUndefined(span.parent) : undefined
  }
  return span
}

/**
 * Decides about a trace where it begins, before the SDK makes a span of it: one that is not taken costs a tenth of what a
 * span of the SDK costs that does not record. With few traces taken, that is nearly all of the cost.
 *
 * Only for a ratio that follows parents: whoever continues the trace goes by what was decided here.
 */
import type { HeadTracer } from "@ergon/core/Telemetry"
import * as Tracer from "effect/Tracer"
import type { Sampler } from "../configuration/effective.ts"

export const decidesAtHeads = ({ kind, parentBased, ratio }: Sampler): boolean =>
  kind === "ratio" && parentBased && ratio < 1

/** Tells programs that they are not taken, and is sent nowhere. */
class Untaken extends Tracer.NativeSpan {
  override readonly sampled = false
}

/** `random` draws from [0, 1). The engine asks before it makes the span of a transaction. */
export const decidingAtHeads = (
  tracer: Tracer.Tracer,
  ratio: number,
  random: () => number
): HeadTracer => {
  const { context } = tracer
  const isTaken = (): boolean => random() < ratio
  const deciding = Tracer.make({
    span: (options) => {
      const taken = options.parent._tag === "Some" ? options.parent.value.sampled : isTaken()
      return taken && options.sampled ? tracer.span(options) : new Untaken(options)
    },
    // What is not taken needs no context of the SDK.
    context: context === undefined
      ? undefined
      : (primitive, fiber) =>
        fiber.cache.span?.sampled === false ? primitive["~effect/Effect/evaluate"](fiber) : context(primitive, fiber)
  })
  return Object.assign(deciding, { "~ergon/heads": { isTaken, taken: tracer } })
}

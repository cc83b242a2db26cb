/**
 * The span of a transaction whose trace nobody takes. Programs see it, so that what they make below it is not taken either,
 * and what they send says so. It keeps nothing, and has ids only once somebody asks for them.
 */
import * as Context from "effect/Context"
import { constVoid } from "effect/Function"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

export class Untaken extends Tracer.NativeSpan {
  override readonly attribute = constVoid
  override readonly event = constVoid
  override readonly addLinks = constVoid
  override readonly end = constVoid

  constructor(name: string) {
    super({
      name,
      parent: Option.none(),
      annotations: Context.empty(),
      links: [],
      startTime: 0n,
      kind: "consumer",
      sampled: false
    })
  }

  /** Whether it is as good as new: nobody knows its ids. */
  get isUnseen(): boolean {
    return this._traceId === undefined && this._spanId === undefined
  }
}

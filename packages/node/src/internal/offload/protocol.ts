/**
 * What a pool and its threads say to each other, one call at a time.
 *
 *     pool                thread
 *      | <----- Ready ------ |    the entry serves a service of this id
 *      | ------ Call ------> |
 *      | --- (Interrupt) --> |    the caller does not want it any more
 *      | <----- Exit ------- |
 */
import * as Schema from "effect/Schema"
import type { Boundary } from "./boundary.ts"

/** What crosses without a service to encode or decode it. */
export type Plain = Schema.Constraint & { readonly DecodingServices: never; readonly EncodingServices: never }

export interface Schemas {
  readonly payload: Plain
  readonly success: Plain
  readonly error: Plain
}

export interface Call {
  readonly _tag: "Call"
  readonly id: number
  readonly payload: unknown
  readonly boundary: Boundary
}

export type ToThread = Call | { readonly _tag: "Interrupt"; readonly id: number }

export type ToPool =
  | { readonly _tag: "Ready"; readonly service: string }
  | { readonly _tag: "Exit"; readonly id: number; readonly exit: unknown }

// Made once for each pool and each thread.
export const codecs = ({ error, payload, success }: Schemas) => {
  const exit = Schema.toCodecJson(Schema.Exit(success, error, Schema.Defect()))
  const call = Schema.toCodecJson(payload)
  return {
    encodePayload: Schema.encodeUnknownEffect(call),
    decodePayload: Schema.decodeUnknownEffect(call),
    encodeExit: Schema.encodeUnknownEffect(exit),
    decodeExit: Schema.decodeUnknownEffect(exit)
  }
}

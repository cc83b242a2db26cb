/**
 * Where commands write: results to stdout, everything else to stderr.
 */
import * as Console from "effect/Console"
import type * as Effect from "effect/Effect"

/** A result for people. */
export const print = (text: string): Effect.Effect<void> => Console.log(text)

/** The result for machines: one JSON value. */
export const printJson = (value: unknown): Effect.Effect<void> => Console.log(JSON.stringify(value, undefined, 2))

/** Something to know, which is not the result. */
export const notice = (text: string): Effect.Effect<void> => Console.error(text)

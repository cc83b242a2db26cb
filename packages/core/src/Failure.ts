/**
 * How a transaction failed for good: what the exception step is told.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { DispatchError } from "./ConnectorError.ts"
import type { Transaction } from "./Transaction.ts"

/**
 * The stages of a transaction, in their order.
 *
 * @category models
 * @since 0.1.0
 */
export type Step = "fetch" | "decode" | "process" | "dispatch" | "success" | "exception" | "settle"

/**
 * A label for a failure: `business` is a typed error of the task, `system` a defect or a connector, `timeout` a
 * timeout of an attempt or of the transaction, `invalid` a payload that does not fit its schema. Categories label; they
 * do not decide.
 *
 * @category models
 * @since 0.1.0
 */
export type Category = "business" | "system" | "timeout" | "invalid"

interface Common {
  /** Tries of the failed step. */
  readonly attempts: number
  /** How often the source delivered the transaction before. */
  readonly deliveries: number
}

/**
 * The payload does not fit its schema, or could not even be read: `invalid`. Or the deadline passed while a schema was
 * still at work: `timeout`. Never retried.
 *
 * @category models
 * @since 0.1.0
 */
export interface DecodeFailure extends Common {
  readonly step: "decode"
  readonly category: "invalid" | "timeout"
  readonly transaction: Transaction<unknown>
  readonly issue: Schema.SchemaError
}

/**
 * The task's program failed; its cause is untouched.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessFailure<out A, out E> extends Common {
  readonly step: "process"
  readonly category: "business" | "system" | "timeout"
  readonly transaction: Transaction<A>
  readonly cause: Cause.Cause<E>
}

/**
 * A sink refused the results.
 *
 * @category models
 * @since 0.1.0
 */
export interface DispatchFailure<out A> extends Common {
  readonly step: "dispatch"
  readonly category: "system" | "timeout"
  readonly transaction: Transaction<A>
  readonly cause: Cause.Cause<DispatchError>
}

/**
 * The task's `onSuccess` failed. The program is not run again.
 *
 * @category models
 * @since 0.1.0
 */
export interface SuccessFailure<out A> extends Common {
  readonly step: "success"
  readonly category: "business" | "system" | "timeout"
  readonly transaction: Transaction<A>
  readonly cause: Cause.Cause<unknown>
}

/**
 * How a transaction failed for good, discriminated by `step`.
 *
 * @category models
 * @since 0.1.0
 */
export type Failure<A, E> = DecodeFailure | ProcessFailure<A, E> | DispatchFailure<A> | SuccessFailure<A>

/**
 * Tag (or class) and message of an error, neither of them ever empty.
 *
 * **Example** (Describing errors)
 * ```ts import.meta.vitest
 * import { Failure } from "@ergon/core"
 *
 * Failure.describe(new TypeError("not a film")) // => { tag: "TypeError", message: "not a film" }
 * Failure.describe({ _tag: "OutOfStock", sku: "x" }) // => { tag: "OutOfStock", message: "OutOfStock" }
 * ```
 *
 * @category formatting
 * @since 0.1.0
 */
export const describe = (error: unknown): { readonly tag: string; readonly message: string } => {
  // Whatever was thrown is described, also what throws when it is looked at.
  try {
    return Predicate.isObject(error) ? describeObject(error, mostCauses) : describeValue(error)
  } catch {
    return { tag: typeof error, message: "(an error that cannot be shown)" }
  }
}

/** How deep to look for a message: causes may form a cycle. */
const mostCauses = 10

const isTold = (text: unknown): text is string => typeof text === "string" && text.trim() !== ""

const describeObject = (
  error: object,
  depth: number
): { readonly tag: string; readonly message: string } => {
  const record: {
    readonly _tag?: unknown
    readonly name?: unknown
    readonly message?: unknown
    readonly cause?: unknown
  } = error
  const { _tag, cause, message, name } = record
  const tag = isTold(_tag) ? _tag : isTold(name) ? name : error.constructor?.name || "Object"
  if (isTold(message)) return { tag, message }
  if (cause === undefined || cause === null || depth === 0) return { tag, message: tag }
  return {
    tag,
    message: Predicate.isObject(cause) ? describeObject(cause, depth - 1).message : describeValue(cause).message
  }
}

const describeValue = (error: unknown): { readonly tag: string; readonly message: string } => {
  const text = String(error)
  const tag = Array.isArray(error) ? "Array" : typeof error
  return { tag, message: text.trim() === "" ? `(empty ${tag})` : text }
}

const error = (failure: Failure<unknown, unknown>): unknown => {
  if (failure.step === "decode") return failure.issue
  return Cause.hasInterruptsOnly(failure.cause) ? "interrupted by its own program" : Cause.squash(failure.cause)
}

/**
 * Tag and message of what a failure failed with.
 *
 * @category formatting
 * @since 0.1.0
 */
export const describeFailure = (
  failure: Failure<unknown, unknown>
): { readonly tag: string; readonly message: string } => describe(error(failure))

/**
 * One sentence that says what failed and why: the reason of a dead letter.
 *
 * @category formatting
 * @since 0.1.0
 */
export const reason = (failure: Failure<unknown, unknown>): string => {
  const failed = error(failure)
  // What a sink failed with says already that dispatching failed; its reason says why.
  const { message, tag } = describe(failed instanceof DispatchError ? failed.reason : failed)
  if (failure.step === "decode" && failure.category === "invalid") return `invalid payload: ${message}`
  const tries = failure.attempts > 1 ? ` after ${failure.attempts} attempts` : ""
  const what = message === tag || !Predicate.isObject(failed) ? message : `${tag}: ${message}`
  return `${failure.step} failed${tries}: ${what}`
}

/**
 * What fetching, dispatching, settling and the work on dead letters fail with. Each carries a `Reason`; a batch that
 * failed in part names the ones that failed.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Reason } from "./Reason.ts"

/**
 * One of a batch that failed: its index in the batch, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failed {
  readonly index: number
  readonly reason: Reason
}

const Failed = Schema.Struct({ index: Schema.Number, reason: Reason })

const describe = (operation: string, reason: Reason): string =>
  `${operation}: ${reason._tag}${reason.message === "" ? "" : `: ${reason.message}`}`

/**
 * A source could not fetch.
 *
 * @category errors
 * @since 0.1.0
 */
export class FetchError extends Schema.TaggedError<FetchError>("@ergon/core/FetchError")("FetchError", {
  reason: Reason
}) {
  override get message(): string {
    return describe("fetch failed", this.reason)
  }
  override readonly cause = this.reason
}

const partly = (failed: ReadonlyArray<Failed> | undefined): string =>
  failed === undefined ? "" : ` (${failed.length} of the batch)`

/**
 * A sink could not dispatch. Without `failed` the whole batch failed with `reason`; with it, only those named did, and
 * the target has confirmed the others.
 *
 * @category errors
 * @since 0.1.0
 */
export class DispatchError extends Schema.TaggedError<DispatchError>("@ergon/core/DispatchError")("DispatchError", {
  reason: Reason,
  failed: Schema.optional(Schema.Array(Failed))
}) {
  override get message(): string {
    return describe("dispatch failed", this.reason) + partly(this.failed)
  }
  override readonly cause = this.reason
}

/**
 * A source could not settle. Without `failed` the whole batch failed with `reason`; with it, only those named did.
 *
 * @category errors
 * @since 0.1.0
 */
export class SettleError extends Schema.TaggedError<SettleError>("@ergon/core/SettleError")("SettleError", {
  reason: Reason,
  failed: Schema.optional(Schema.Array(Failed))
}) {
  override get message(): string {
    return describe("settle failed", this.reason) + partly(this.failed)
  }
  override readonly cause = this.reason
}

/**
 * Dead letters could not be read, removed or taken back. Without `failed` the whole batch failed with `reason`; with it,
 * only those named did.
 *
 * @category errors
 * @since 0.1.0
 */
export class LettersError extends Schema.TaggedError<LettersError>("@ergon/core/LettersError")("LettersError", {
  reason: Reason,
  failed: Schema.optional(Schema.Array(Failed))
}) {
  override get message(): string {
    return describe("dead letters", this.reason) + partly(this.failed)
  }
  override readonly cause = this.reason
}

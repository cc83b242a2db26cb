/**
 * What a task is made of, once its types have done their work: the combinators of `Task` build it, the engine reads it.
 * Payloads, results and requirements are erased here and nowhere else.
 */
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { AnyDeadLetters, AnySink, AnySource } from "../Connector.ts"
import type { Decision } from "../Decision.ts"
import type { Disposition } from "../Disposition.ts"
import type { Failure } from "../Failure.ts"
import type * as Policy from "../Policy.ts"
import type { Transaction } from "../Transaction.ts"

// What a user's function returns, with what it needs already in the context that the engine runs it with.
export type Program<A = unknown> = Effect.Effect<A, unknown>

export interface SinkStep {
  readonly key: AnySink<unknown, Schema.Constraint>
  readonly outputs: (
    transaction: Transaction<unknown>,
    result: unknown
  ) => Transaction<unknown> | ReadonlyArray<Transaction<unknown>>
}

export type Decide = (error: unknown) => Decision | "undecided"

export interface Definition {
  readonly name: string
  readonly from:
    | { readonly _tag: "source"; readonly key: AnySource<unknown, Schema.Constraint> }
    | { readonly _tag: "stream"; readonly stream: Stream.Stream<Transaction<unknown>, unknown> }
  readonly process: (transaction: Transaction<unknown>) => Program
  readonly sinks: ReadonlyArray<SinkStep>
  readonly onSuccess: ((transaction: Transaction<unknown>, result: unknown) => Program) | undefined
  readonly onFailure: ((failure: Failure<unknown, unknown>) => Program<Disposition | void>) | undefined
  readonly deadLetter: AnyDeadLetters<unknown> | "discard" | undefined
  readonly decide: Decide | undefined
  // Set when a decision given as a value is `retry` or `retryAfter`: it needs more than one attempt.
  readonly decidesRetry: boolean
  readonly orderBy: ((transaction: Transaction<unknown>) => string) | undefined
  readonly policy: Policy.Input
  readonly layers: ReadonlyArray<Layer.Layer<never, unknown, unknown>>
}

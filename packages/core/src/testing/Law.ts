/**
 * A law that a connector keeps, as data: a sentence, whether it applies, and an effect that checks it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * A law was broken: which one, and what was seen instead.
 *
 * @category errors
 * @since 0.1.0
 */
export class LawViolation extends Schema.TaggedError<LawViolation>("@ergon/core/LawViolation")("LawViolation", {
  law: Schema.String,
  seen: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {
  override get message(): string {
    return `${this.law}: ${this.seen}`
  }
}

/**
 * A law that a connector keeps.
 *
 * **Details**
 * - `name`: the law as a sentence.
 * - `applies`: `true`, or the reason why this connector need not keep it.
 * - `check`: makes a fresh storage, checks the law, and cleans up. It needs no test runner, and no more time than the
 *   harness's patience for each thing that has to happen.
 *
 * @category models
 * @since 0.1.0
 */
export interface Law {
  readonly name: string
  readonly applies: true | string
  readonly check: Effect.Effect<void, LawViolation>
}

/**
 * The laws of a source.
 *
 * @category models
 * @since 0.1.0
 */
export type SourceLawName =
  | "it declares the capabilities of its harness"
  | "payloads survive the round trip"
  | "ids survive the round trip"
  | "metadata survives the round trip"
  | "the trace context survives the round trip"
  | "ids stay the same across redelivery"
  | "a fetch hands over at most max"
  | "a fetch answers at once when something is there"
  | "an empty fetch ends within its wait"
  | "a waiting fetch answers when something arrives"
  | "nothing is handed over twice while it is in flight"
  | "concurrent fetches share no delivery"
  | "two connectors share no delivery"
  | "an interrupted fetch neither loses nor duplicates"
  | "unsettled deliveries never exceed the prefetch"
  | "the order is kept"
  | "the order of each key is kept"
  | "an acknowledged delivery never comes back"
  | "a requeued delivery comes back"
  | "a requeue delay is respected"
  | "a dead letter is kept with its reason and never comes back"
  | "a released delivery comes back untouched"
  | "settling twice changes nothing"
  | "an old receipt settles nothing"
  | "each of a batch is settled by its own disposition"
  | "a commit covers what was settled and nothing after it"
  | "a commit never goes back"
  | "what a crash left unsettled is delivered again"
  | "closing gives back what was not settled"
  | "closing ends a waiting fetch with nothing"
  | "a fetch after closing fails"
  | "an expired lease is delivered again"
  | "an extended lease keeps its delivery"
  | "extending names the lost leases"
  | "settling what was lost fails with LeaseLost for exactly that"
  | "a lost delivery is no longer held"
  | "a cut connection heals by itself and is consumed from"
  | "resolving claims one transaction by its id"
  | "resolving an unknown id fails with NotFound"
  | "the count is truthful"
  | DeadLettersLawName
  | "what is put back is delivered again with a count of 0"
  | "putting back twice changes nothing"
  | "what is taken back is delivered again with a count of 0"
  | "taking back twice changes nothing"
  | "no secret shows in an error, a log or a span"

/**
 * The laws of dead letters that can be read: a source's own, and those of a sink.
 *
 * @category models
 * @since 0.1.0
 */
export type DeadLettersLawName =
  | "letters are listed oldest first, as they were given up"
  | "pages of letters miss none while others come and go"
  | "letters are found by the id of their transaction"
  | "a removed letter is gone, and no other"

/**
 * The laws of a sink.
 *
 * @category models
 * @since 0.1.0
 */
export type SinkLawName =
  | "dispatched payloads arrive"
  | "dispatched ids arrive"
  | "dispatched metadata arrives"
  | "the dispatched trace context arrives"
  | "all of a confirmed batch has arrived"
  | "an empty batch is confirmed"
  | "concurrent dispatches all arrive once"
  | "a batch that fails in part names the ones that failed"
  | "a dispatch after closing fails"
  | "a cut connection heals by itself and is dispatched to"
  | "no secret shows in an error, a log or a span"

/**
 * Runs, outcomes and what they carry, as JSON for machines. Durations are seconds.
 */
import type { Outcome } from "@ergon/core"
import { describe } from "@ergon/core/Failure"
import type { Entry } from "@ergon/node/Runs"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** Anything as JSON: what JSON has no word for becomes text. */
export const toJson = (value: unknown): unknown => {
  try {
    const text = JSON.stringify(value, (_, part: unknown) => typeof part === "bigint" ? part.toString() : part)
    return text === undefined ? null : JSON.parse(text)
  } catch {
    return String(value)
  }
}

export const summaryToJson = ({ duration, ...counts }: Outcome.Summary): { readonly [name: string]: unknown } => ({
  ...counts,
  duration: Duration.toMillis(duration) / 1000
})

const endOf = (exit: Exit.Exit<unknown, unknown> | undefined): string =>
  exit === undefined || (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    ? "interrupted"
    : Exit.isSuccess(exit)
    ? "succeeded"
    : "failed"

const errorOf = (exit: Exit.Exit<unknown, unknown> | undefined): unknown =>
  exit !== undefined && Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
    ? describe(Cause.squash(exit.cause))
    : null

export const runToJson = ({ exit, run }: Entry): Effect.Effect<unknown> =>
  Effect.map(run.control.status, ({ summary }) => ({
    task: run.task,
    kind: run.kind,
    end: endOf(exit),
    error: errorOf(exit),
    ...summaryToJson(summary)
  }))

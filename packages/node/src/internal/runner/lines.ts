/** What the runner says about signals, and about an end that takes too long. */
import type { Run } from "@ergon/core/Run"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Summaries from "../../Summaries.ts"
import type { Name } from "./signals.ts"

const press = (name: Name): string => name === "SIGINT" ? "Ctrl-C" : "signal"

const inFlight = (runs: ReadonlyArray<Run>): Effect.Effect<number> =>
  Effect.map(
    Effect.forEach(runs, ({ control }) => control.status),
    (all) => all.reduce((sum, status) => sum + status.inFlight, 0)
  )

const transactions = (count: number): string => count === 1 ? "1 transaction" : `${count} transactions`

const longest = (runs: ReadonlyArray<Run>): number =>
  Math.max(...runs.map(({ policy }) => Duration.toMillis(policy.shutdown.grace)))

const first = (name: Name, runs: ReadonlyArray<Run>): Effect.Effect<string> =>
  runs.length === 0
    ? Effect.succeed(`${name}: stopping; no task runs, and what is open is closed`)
    : Effect.map(inFlight(runs), (count) =>
      count === 0
        ? `${name}: draining; nothing is in flight`
        : `${name}: draining; ${transactions(count)} in flight ${count === 1 ? "has" : "have"} at most ` +
          `${Summaries.duration(longest(runs))}, and a second ${press(name)} interrupts and releases ` +
          `${count === 1 ? "it" : "them"}`)

const second = (name: Name, runs: ReadonlyArray<Run>): Effect.Effect<string> =>
  Effect.map(
    inFlight(runs),
    (count) =>
      `${name} again: ${count === 0 ? "nothing is in flight" : `interrupting and releasing ${transactions(count)}`}; ` +
      `a third ${press(name)} exits at once`
  )

/** `count`: the how manieth signal it is, from 1. */
export const signal = (name: Name, count: number, runs: ReadonlyArray<Run>): Effect.Effect<void> =>
  Effect.flatMap(
    count === 1
      ? first(name, runs)
      : count === 2
      ? second(name, runs)
      : Effect.succeed(`${name} for the third time: exiting at once`),
    (text) => Effect.logInfo(text)
  )

export const asked = (why: string, code: number): Effect.Effect<void> =>
  Effect.logWarning(`draining: ${why}; the process will exit with ${code}`)

export const slow = (after: number, atMost: number): Effect.Effect<void> =>
  Effect.logWarning(
    `closing has taken ${Summaries.duration(after)} so far; what is not closed after ${Summaries.duration(atMost)} ` +
      "(shutdown.close) is left behind"
  )

export const forced = (after: number, code: number, requested: boolean): Effect.Effect<void> =>
  Effect.logError(
    requested
      ? `the process did not end within ${
        Summaries.duration(after)
      }: leaving what is still open, and exiting with ${code}`
      : `closing did not end within ${Summaries.duration(after)} (shutdown.close): leaving what is still open, and ` +
        `exiting with ${code}`
  )

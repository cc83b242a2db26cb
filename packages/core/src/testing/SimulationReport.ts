/**
 * What a simulation tells: how many seeds were run, and of a seed that broke a rule the shortest story of it.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { DeadLetter } from "../DeadLetter.ts"
import { exportedLetter, exportedTrial } from "./simulation/exported.ts"
import { mermaidOf, storyOf } from "./simulation/story.ts"
import type { Script } from "./SimulationFault.ts"

/**
 * Something that happened: `at` in milliseconds since the simulation began, in which process (from 1; 0 is outside of
 * all of them), to which transaction (empty for none), between which parties of the diagram.
 *
 * @category models
 * @since 0.1.0
 */
export interface Event {
  readonly at: number
  readonly process: number
  readonly transaction: string
  readonly text: string
  readonly from: string
  readonly to: string
}

/**
 * A rule that was broken, by which transaction (empty for none) and when.
 *
 * @category models
 * @since 0.1.0
 */
export interface Violation {
  readonly rule: string
  readonly process: number
  readonly transaction: string
  readonly text: string
  readonly at: number
}

/**
 * One seed from its beginning to its end.
 *
 * **Details**
 * - `violation`: the rule that was broken, `undefined` when all held.
 * - `script`: the faults that happened. Replaying it with the same seed gives the same run.
 * - `transactions`: the ids that the source began with.
 * - `events`: the timeline.
 * - `fingerprint`: the same when everything happened in the same way.
 * - `processes`: how many were started, the first one included.
 * - `steps`: scheduling points. `elapsed`: virtual milliseconds.
 * - `unfinished`: transactions that had not come to their end when the simulation ended: those of a task that stops
 *   itself, or that gives one back for ever.
 *
 * @category models
 * @since 0.1.0
 */
export interface Trial {
  readonly seed: number
  readonly violation: Violation | undefined
  readonly script: Script
  readonly transactions: ReadonlyArray<string>
  readonly inOrder: boolean
  readonly events: ReadonlyArray<Event>
  readonly fingerprint: string
  readonly processes: number
  readonly steps: number
  readonly elapsed: number
  readonly unfinished: ReadonlyArray<string>
}

/**
 * Every seed held: how many there were, how many faults happened in them, how many processes were started, and how much
 * virtual time passed, in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly task: string
  readonly seeds: number
  readonly faults: number
  readonly processes: number
  readonly transactions: number
  readonly elapsed: number
}

/**
 * A seed broke a rule. `message` is the whole story: the rule, the smallest script that still breaks it, and what
 * happened to the transaction in plain words. `trial` is the seed as it ran first, `shrunk` the smallest run that was
 * found that breaks the same rule.
 *
 * @category errors
 * @since 0.1.0
 */
export class SimulationFailed extends Data.TaggedError("SimulationFailed")<{
  readonly task: string
  readonly seed: number
  readonly trial: Trial
  readonly shrunk: Trial
}> {
  override get message(): string {
    return storyOf(this.task, this.shrunk, this.trial)
  }
}

/**
 * The story of a trial in plain words: the rule that was broken, the faults that it takes, and what happened to the
 * transaction.
 *
 * @category conversions
 * @since 0.1.0
 */
export const describe = (task: string, trial: Trial): string => storyOf(task, trial)

/**
 * The same as a Mermaid sequence diagram.
 *
 * @category conversions
 * @since 0.1.0
 */
export const mermaid = (trial: Trial): string => mermaidOf(trial)

/**
 * A test, as the text of a file for vitest, that runs the trial again and expects every rule to hold.
 *
 * **Details**
 * `task` and `world` are the names under which the test finds the task and its world, `from` the module that exports
 * both.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toTest = (
  trial: Trial,
  names: { readonly task: string; readonly world: string; readonly from: string }
): string => exportedTrial(trial, names)

/**
 * A test, as the text of a file for vitest, that pushes the transaction of a dead letter through its task once more and
 * expects it to succeed.
 *
 * **Details**
 * `task` and `layers` are the names under which the test finds the task and what it needs, `from` the module that exports
 * both.
 *
 * @category conversions
 * @since 0.1.0
 */
export const letterToTest = (
  letter: DeadLetter,
  names: { readonly task: string; readonly layers: string; readonly from: string }
): string => exportedLetter(letter, names)

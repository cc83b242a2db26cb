/**
 * What flags and environment say about the policies of tasks, laid over what their code says: flags beat environment
 * beats code.
 */
import * as Policy from "@ergon/core/Policy"
import { PolicyError } from "@ergon/core/PolicyError"
import * as Task from "@ergon/core/Task"
import * as Effect from "effect/Effect"
import { type AnyTask, type Project, tasks as projectTasks } from "../project.ts"
import { type UsageError, usageError } from "../usageError.ts"
import type { Read } from "./policyFlags.ts"
import * as telemetry from "../telemetry.ts"
import { variableNames } from "./settings.ts"

export interface Adjusted {
  /** With everything laid over it. */
  readonly task: AnyTask
  readonly environment: Policy.Input
  readonly flags: Policy.Input
  /** Both, to be laid over the task elsewhere: in a worker. */
  readonly overlay: Policy.Input
}

export interface Problematic {
  readonly adjusted: ReadonlyArray<Adjusted>
  readonly problems: ReadonlyArray<string>
}

const problemsOf = (error: { readonly message: string }): ReadonlyArray<string> =>
  error instanceof PolicyError ? error.problems : [error.message]

const environmentOf = (name: string, names: ReadonlyArray<string>): Effect.Effect<Read> =>
  Policy.fromConfig(name, {
    tasks: names.filter((other) => other !== name),
    known: [...variableNames, ...telemetry.variableNames]
  }).pipe(
    Effect.match({
      onSuccess: (input) => ({ input, problems: [] }),
      onFailure: (error) => ({ input: {}, problems: problemsOf(error) })
    })
  )

/** What the environment says about the policy of a task of the project, before it is laid over anything. */
export const environment = (task: AnyTask): Effect.Effect<Read, UsageError, Project> =>
  Effect.flatMap(projectTasks, (all) => environmentOf(task.name, all.map(({ name }) => name)))

/** The policy as a whole may be wrong where each field is right. */
const lay = (task: AnyTask, overlay: Policy.Input): AnyTask | ReadonlyArray<string> => {
  try {
    return Task.policy(overlay)(task)
  } catch (error) {
    if (error instanceof PolicyError) return error.problems.map((problem) => `task "${task.name}": ${problem}`)
    throw error
  }
}

const adjustOne = (
  task: AnyTask,
  names: ReadonlyArray<string>,
  flags: Policy.Input
): Effect.Effect<Problematic> =>
  Effect.map(environmentOf(task.name, names), ({ input: environment, problems }) => {
    if (problems.length > 0) return { adjusted: [], problems }
    const overlay = Policy.merge(environment, flags)
    const laid = lay(task, overlay)
    return "name" in laid
      ? { adjusted: [{ task: laid, environment, flags, overlay }], problems: [] }
      : { adjusted: [], problems: laid }
  })

/** Lays flags and environment over the policies of these tasks of the project, and collects everything that is wrong. */
export const adjust = (
  tasks: ReadonlyArray<AnyTask>,
  flags: Policy.Input = {}
): Effect.Effect<Problematic, UsageError, Project> =>
  Effect.gen(function*() {
    const names = (yield* projectTasks).map(({ name }) => name)
    const all = yield* Effect.forEach(tasks, (task) => adjustOne(task, names, flags))
    return {
      adjusted: all.flatMap(({ adjusted }) => adjusted),
      problems: Array.from(new Set(all.flatMap(({ problems }) => problems)))
    }
  })

/** The same for one task and what only the environment says. */
export const adjusted = (task: AnyTask): Effect.Effect<AnyTask, UsageError, Project> =>
  Effect.flatMap(
    adjust([task]),
    ({ adjusted, problems }) =>
      adjusted[0] === undefined ? Effect.fail(usageError(problems)) : Effect.succeed(adjusted[0].task)
  )

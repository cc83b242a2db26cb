/**
 * The tasks that the command line is for.
 */
import type { Task } from "@ergon/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { didYouMean } from "./nearest.ts"
import { UsageError, usageError } from "./usageError.ts"

export type AnyTask = Task.Any<unknown, never>

/**
 * `tasks` fails where there is no project: with what is missing and what to write. Commands that need no task do not
 * ask.
 */
export class Project extends Context.Service<Project, {
  readonly tasks: Effect.Effect<ReadonlyArray<AnyTask>, UsageError>
}>()("@ergon/cli/Project") {}

const problemsOf = (tasks: ReadonlyArray<AnyTask>): ReadonlyArray<string> => {
  const names = tasks.map(({ name }) => name)
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  return [
    ...(names.some((name) => name.trim() === "") ? ["a task of Ergon.main has an empty name"] : []),
    ...Array.from(twice, (name) => `Ergon.main has more than one task "${name}": every name is there once`)
  ]
}

/** A project as its main file gives it. */
export const withTasks = (tasks: ReadonlyArray<AnyTask>): Project["Service"] => {
  const problems = problemsOf(tasks)
  return { tasks: problems.length === 0 ? Effect.succeed(tasks) : Effect.fail(usageError(problems)) }
}

/** No project, and why. */
export const withoutTasks = (problem: string): Project["Service"] => ({
  tasks: Effect.fail(new UsageError({ message: problem }))
})

/** All tasks of the project, in the order of its main file. */
export const tasks: Effect.Effect<ReadonlyArray<AnyTask>, UsageError, Project> = Effect.flatMap(
  Project,
  (project) => project.tasks
)

const list = (names: ReadonlyArray<string>): string => names.map((name) => `\n  ${name}`).join("")

export const unknownTask = (name: string, valid: ReadonlyArray<string>): UsageError =>
  new UsageError({
    message: valid.length === 0
      ? `there is no task "${name}": the project has none yet. \`ergon list\` says how to add one`
      : `there is no task "${name}".${didYouMean(name, valid)} The tasks are:${list(valid)}`
  })

/** One of them by its name. */
export const taskNamed = (name: string): Effect.Effect<AnyTask, UsageError, Project> =>
  Effect.flatMap(tasks, (all) => {
    const found = all.find((task) => task.name === name)
    return found === undefined
      ? Effect.fail(unknownTask(name, all.map((task) => task.name)))
      : Effect.succeed(found)
  })

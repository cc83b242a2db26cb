/**
 * The tasks that the command line is for.
 */
import * as Task from "@ergon/core/Task"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { didYouMean } from "./nearest.ts"
import { layer, type Telemetry } from "./telemetry.ts"
import { UsageError, usageError } from "./usageError.ts"

export type AnyTask = Task.Any<unknown, never>

/**
 * `tasks` fails where there is no project: with what is missing and what to write. Commands that need no task do not
 * ask.
 */
export class Project extends Context.Service<Project, {
  readonly tasks: Effect.Effect<ReadonlyArray<AnyTask>, UsageError>
  readonly telemetry: Telemetry
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
export const withTasks = (tasks: ReadonlyArray<AnyTask>, telemetry?: Telemetry): Project["Service"] => {
  const problems = problemsOf(tasks)
  return { tasks: problems.length === 0 ? Effect.succeed(tasks) : Effect.fail(usageError(problems)), telemetry }
}

/** No project, and why. */
export const withoutTasks = (problem: string): Project["Service"] => ({
  tasks: Effect.fail(new UsageError({ message: problem })),
  telemetry: false
})

/** Runs what follows with telemetry, when somebody asks for it. */
export const withTelemetry = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | UsageError, R | Project> =>
  Effect.flatMap(Project, ({ telemetry }) => Effect.provide(effect, layer(telemetry, process.env)))

/** All tasks of the project, in the order of its main file. */
export const tasks: Effect.Effect<ReadonlyArray<AnyTask>, UsageError, Project> = Effect.flatMap(
  Project,
  (project) => project.tasks
)

const list = (names: ReadonlyArray<string>): string => names.map((name) => `\n  ${name}`).join("")

const noTask = "the project has no task yet. `ergon list` says how to add one"

const sentence = (unknown: ReadonlyArray<string>, valid: ReadonlyArray<string>): string =>
  unknown.map((name) => `there is no task "${name}".${didYouMean(name, valid)}`).join(" ")

export const unknownTasks = (unknown: ReadonlyArray<string>, valid: ReadonlyArray<string>): UsageError =>
  new UsageError({
    message: `${sentence(unknown, valid)} ${valid.length === 0 ? `In fact, ${noTask}` : `The tasks are:${list(valid)}`}`
  })

/** One of them by its name. */
export const taskNamed = (name: string): Effect.Effect<AnyTask, UsageError, Project> =>
  Effect.flatMap(tasks, (all) => {
    const found = all.find((task) => task.name === name)
    return found === undefined
      ? Effect.fail(unknownTasks([name], all.map((task) => task.name)))
      : Effect.succeed(found)
  })

export type Transactional = Task.Task<unknown, unknown, unknown, never, unknown>

/** A task that works on transactions; a program does not. */
export const transactional = (task: AnyTask): Effect.Effect<Transactional, UsageError> =>
  Task.hasTransactions(task)
    ? Effect.succeed(task)
    : Effect.fail(new UsageError({ message: `task "${task.name}" is a program: it has no transactions` }))

const chooseNamed = (
  names: ReadonlyArray<string>,
  all: ReadonlyArray<AnyTask>
): Effect.Effect<ReadonlyArray<AnyTask>, UsageError> => {
  const valid = all.map(({ name }) => name)
  const unknown = Array.from(new Set(names)).filter((name) => !valid.includes(name))
  return unknown.length > 0
    ? Effect.fail(unknownTasks(unknown, valid))
    : Effect.succeed(all.filter(({ name }) => names.includes(name)))
}

/** The tasks that are meant: those named, or all, or the only one. */
export const chosen = (
  names: ReadonlyArray<string>,
  everything: boolean
): Effect.Effect<ReadonlyArray<AnyTask>, UsageError, Project> =>
  Effect.flatMap(tasks, (all) => {
    if (all.length === 0) {
      return Effect.fail(new UsageError({ message: noTask }))
    }
    if (names.length > 0) {
      return everything
        ? Effect.fail(new UsageError({ message: `--all runs every task: name tasks or give --all, not both` }))
        : chooseNamed(names, all)
    }
    return everything || all.length === 1
      ? Effect.succeed(all)
      : Effect.fail(
        new UsageError({
          message: `which task? Name some, or give --all. The tasks are:${list(all.map(({ name }) => name))}`
        })
      )
  })

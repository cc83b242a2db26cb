/**
 * `ergon count`: what the sources of tasks hold.
 */
import type { Connector } from "@ergon/core"
import { FetchError } from "@ergon/core/ConnectorError"
import { describe } from "@ergon/core/Failure"
import * as Task from "@ergon/core/Task"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as command from "../command.ts"
import { Argument, Command } from "../effectCli.ts"
import { print, printJson } from "../output.ts"
import { type AnyTask, chosen } from "../project.ts"
import { table } from "../table.ts"
import { Unsuccessful } from "../usageError.ts"

interface Counted {
  readonly task: string
  readonly count: Connector.Count | undefined
  /** Why there is no count. */
  readonly reason: string | undefined
  /** Whether that is a failure: a source that cannot count is none, unless its task was named. */
  readonly isFailure: boolean
}

const isUnable = (error: unknown): error is FetchError =>
  error instanceof FetchError && error.reason._tag === "Unsupported"

const none = (task: string, reason: string, isFailure: boolean): Counted => ({
  task,
  count: undefined,
  reason,
  isFailure
})

const counted = (task: AnyTask, isNamed: boolean): Effect.Effect<Counted> => {
  if (!Task.hasTransactions(task)) {
    return Effect.succeed(none(task.name, `task "${task.name}" is a program: it has no transactions`, isNamed))
  }
  return Task.count(task).pipe(
    Effect.map((count): Counted => ({ task: task.name, count, reason: undefined, isFailure: false })),
    Effect.catchCause((cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      const error = Cause.squash(cause)
      return Effect.succeed(
        isUnable(error)
          ? none(task.name, error.reason.message, isNamed)
          : none(task.name, describe(error).message, true)
      )
    })
  )
}

const row = ({ count, reason, task }: Counted): ReadonlyArray<string> =>
  count === undefined
    ? [task, "-", "-", "-", reason ?? ""]
    : [task, `${count.ready}`, `${count.inFlight}`, `${count.delayed}`, ""]

const encoded = ({ count, reason, task }: Counted) => ({
  task,
  ready: count?.ready ?? null,
  inFlight: count?.inFlight ?? null,
  delayed: count?.delayed ?? null,
  reason: reason ?? null
})

export const count = command.make("count", {
  names: Argument.String("name").pipe(
    Argument.withDescription("Tasks to count for; all of them unless named"),
    Argument.variadic()
  ),
  json: command.json
}, ({ json, names }) =>
  Effect.gen(function*() {
    const tasks = yield* chosen(names, names.length === 0)
    const all = yield* Effect.forEach(tasks, (task) => counted(task, names.length > 0), { concurrency: 4 })
    yield* json
      ? printJson(all.map(encoded))
      : print(table([["TASK", "READY", "IN FLIGHT", "DELAYED", ""], ...all.map(row)]))
    const failed = all.filter(({ isFailure }) => isFailure).map(({ task }) => task)
    if (failed.length > 0) {
      return yield* Effect.fail(new Unsuccessful({ message: `could not count for ${failed.join(", ")}` }))
    }
  })).pipe(
    Command.withDescription(
      "Counts what the sources of tasks hold: ready to be fetched, in flight with consumers, delayed until later."
    ),
    Command.withShortDescription("Counts what is waiting."),
    Command.withExamples([{ command: "ergon count" }, { command: "ergon count orders --json" }])
  )

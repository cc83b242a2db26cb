/**
 * `ergon process-transaction-by-id`: one transaction of the source, claimed, run and settled.
 */
import { FetchError } from "@ergon/core/ConnectorError"
import * as Task from "@ergon/core/Task"
import * as Effect from "effect/Effect"
import * as command from "../command.ts"
import { adjusted } from "../config/policies.ts"
import { Argument, Command } from "../effectCli.ts"
import { taskNamed, transactional, withTelemetry } from "../project.ts"
import { Unsuccessful, UsageError } from "../usageError.ts"

const told = (task: string, id: string) => (error: unknown): unknown => {
  if (!(error instanceof FetchError)) return error
  switch (error.reason._tag) {
    case "NotFound":
      return new Unsuccessful({ message: `the source of "${task}" has no transaction "${id}" to be claimed` })
    case "Unsupported":
      return new UsageError({ message: error.reason.message })
    default:
      return error
  }
}

export const processTransactionById = command.make("process-transaction-by-id", {
  name: Argument.String("name").pipe(Argument.withDescription("The task")),
  id: Argument.String("id").pipe(Argument.withDescription("The id of the transaction at its source")),
  json: command.json
}, ({ id, json, name }) =>
  Effect.gen(function*() {
    const task = yield* transactional(yield* adjusted(yield* taskNamed(name)))
    const outcome = yield* withTelemetry(Effect.mapError(Task.runById(task, id), told(name, id)))
    const { tell } = yield* Effect.promise(() => import("../running/outcome.ts"))
    yield* tell(outcome, json)
  })).pipe(
    Command.withDescription(
      "Claims one transaction by its id at the source of a task, runs it and settles it. The exit code is 0 only when it " +
        "succeeded, and 2 when the source cannot look one up."
    ),
    Command.withShortDescription("Runs one transaction of the source."),
    Command.withExamples([{ command: "ergon process-transaction-by-id orders order-7" }])
  )

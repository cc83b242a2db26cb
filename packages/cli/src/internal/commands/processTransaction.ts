/**
 * `ergon process-transaction`: one transaction, given as JSON, through the whole lifecycle of a task.
 */
import { FetchError } from "@ergon/core/ConnectorError"
import * as Task from "@ergon/core/Task"
import * as Transaction from "@ergon/core/Transaction"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as command from "../command.ts"
import { adjusted } from "../config/policies.ts"
import { Argument, Command, Flag } from "../effectCli.ts"
import { taskNamed, transactional, withTelemetry } from "../project.ts"
import { UsageError } from "../usageError.ts"

const given = (payload: Option.Option<string>): Effect.Effect<string, UsageError, Stdio.Stdio> =>
  Effect.gen(function*() {
    if (Option.isSome(payload) && payload.value !== "-") return payload.value
    const isTerminal = yield* (yield* Stdio.Stdio).stdinIsTerminal
    if (Option.isNone(payload) && isTerminal) {
      return yield* new UsageError({
        message:
          "there is no payload: give --payload-json JSON, or pipe it in (`echo '{}' | ergon process-transaction NAME`)"
      })
    }
    const { readAll } = yield* Effect.promise(() => import("../running/stdin.ts"))
    return yield* readAll
  })

const parsed = (text: string): Effect.Effect<unknown, UsageError> =>
  Effect.try({
    try: () => JSON.parse(text) as unknown,
    catch: (error) =>
      new UsageError({
        message: text.trim() === ""
          ? "the payload is empty; JSON is expected"
          : `the payload is not JSON: ${(error as Error).message}`
      })
  })

/** What was given does not fit: nothing has run. */
const asUsage = (task: string) => (error: unknown): unknown => {
  if (Schema.isSchemaError(error)) {
    return new UsageError({
      message: `the payload does not fit the task "${task}":\n  ${error.message.replaceAll("\n", "\n  ")}`
    })
  }
  return error instanceof FetchError && error.reason._tag === "Unsupported"
    ? new UsageError({ message: error.reason.message })
    : error
}

export const processTransaction = command.make("process-transaction", {
  name: Argument.String("name").pipe(Argument.withDescription("The task")),
  payload: Flag.String("payload-json").pipe(
    Flag.withMetavar("JSON"),
    Flag.withDescription("The payload; - reads it from stdin, as a pipe does without this flag"),
    Flag.optional
  ),
  id: Flag.String("id").pipe(
    Flag.withMetavar("ID"),
    Flag.withDescription("The id of the transaction; a random one unless given"),
    Flag.optional
  ),
  metadata: Flag.KeyValuePair("metadata").pipe(
    Flag.withMetavar("KEY=VALUE"),
    Flag.withDescription("Metadata of the transaction (repeatable)"),
    Flag.optional
  ),
  json: command.json
}, (input) =>
  Effect.gen(function*() {
    const task = yield* transactional(yield* adjusted(yield* taskNamed(input.name)))
    const id = Option.getOrElse(input.id, () => crypto.randomUUID())
    if (id === "") return yield* new UsageError({ message: "--id must not be empty" })
    const payload = yield* parsed(yield* given(input.payload))
    const transaction = Transaction.make(id, payload, Option.getOrElse(input.metadata, () => ({})))
    const outcome = yield* withTelemetry(Effect.mapError(Task.runJson(task, transaction), asUsage(task.name)))
    const { tell } = yield* Effect.promise(() => import("../running/outcome.ts"))
    yield* tell(outcome, input.json)
  })).pipe(
    Command.withDescription(
      "Runs one transaction, given as JSON, through all steps of a task, under its policy. Its results are really " +
        "dispatched; at the source nothing is settled. The exit code is 0 only when it succeeded, and 2 when the payload " +
        "does not fit: then no step has run."
    ),
    Command.withShortDescription("Runs one transaction, given as JSON."),
    Command.withExamples([
      { command: "ergon process-transaction orders --payload-json '{\"id\":\"7\",\"quantity\":2}'" },
      { command: "ergon process-transaction orders --id order-7 --metadata origin=support < order.json" },
      { command: "curl -s https://example.com/orders/7 | ergon process-transaction orders --payload-json - --json" }
    ])
  )

/**
 * `ergon list`: the tasks of the project.
 */
import * as Effect from "effect/Effect"
import * as command from "../command.ts"
import { Command } from "../effectCli.ts"
import { print, printJson } from "../output.ts"
import { tasks } from "../project.ts"

export const list = command.make(
  "list",
  { json: command.json },
  ({ json }) =>
    Effect.flatMap(
      tasks,
      (all) => json ? printJson(all.map(({ name }) => ({ name }))) : print(all.map(({ name }) => name).join("\n"))
    )
).pipe(
  Command.withDescription("Lists the tasks of the project.")
)

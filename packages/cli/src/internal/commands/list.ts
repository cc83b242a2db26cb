/**
 * `ergon list`: the tasks of the project.
 */
import * as Effect from "effect/Effect"
import type * as Outline from "@ergon/core/Outline"
import * as command from "../command.ts"
import { Command } from "../effectCli.ts"
import { print, printJson } from "../output.ts"
import { tasks } from "../project.ts"
import { table } from "../table.ts"

const none = `There is no task yet. Write one, and put it into the list of the main file:

  import { Ergon } from "@ergon/cli"
  import { Task } from "@ergon/core"
  import { Effect } from "effect"

  const hello = Task.make("hello", Effect.logInfo("hello"))

  Ergon.main([hello])

Then \`ergon list\` shows it and \`ergon run hello\` runs it. \`ergon init NAME\` makes a project with an example.`

const deadLettersOf = ({ deadLetters }: Outline.Outline): string =>
  deadLetters._tag === "sink" ? deadLetters.id : deadLetters._tag

const sinksOf = ({ sinks }: Outline.Outline): string => sinks.map(({ id }) => id).join(", ")

const shown = (outlines: ReadonlyArray<Outline.Outline>): string =>
  table([
    ["TASK", "KIND", "SOURCE", "SINKS", "DEAD LETTERS"],
    ...outlines.map((outline) =>
      outline.kind === "program"
        ? [outline.name, outline.kind, "-", "-", "-"]
        : [outline.name, outline.kind, outline.source?.id ?? "-", sinksOf(outline) || "-", deadLettersOf(outline)]
    )
  ])

const encoded = (outline: Outline.Outline) => ({
  name: outline.name,
  kind: outline.kind,
  source: outline.source?.id ?? null,
  sinks: outline.sinks.map(({ id }) => id),
  deadLetters: outline.kind === "program" ? null : deadLettersOf(outline)
})

export const list = command.make("list", { json: command.json }, ({ json }) =>
  Effect.gen(function*() {
    const all = yield* tasks
    const { of } = yield* Effect.promise(() => import("@ergon/core/Outline"))
    const outlines = all.map((task) => of(task))
    if (json) return yield* printJson(outlines.map(encoded))
    yield* print(outlines.length === 0 ? none : shown(outlines))
  })).pipe(
    Command.withDescription("Lists the tasks of the project: what kind they are, where they take from and send to."),
    Command.withShortDescription("Lists the tasks."),
    Command.withExamples([{ command: "ergon list" }, { command: "ergon list --json" }])
  )

/**
 * `ergon dead-letters`: what a task has given up, looked at and sent again.
 */
import { LettersError } from "@ergon/core/ConnectorError"
import type { Redrive } from "@ergon/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as command from "../command.ts"
import { Argument, Command, Flag } from "../effectCli.ts"
import { Sections } from "../help.ts"
import { filterFlags, isNarrow, readFilter, readRate } from "../letters/filter.ts"
import { notice, print, printJson } from "../output.ts"
import { taskNamed, type Transactional, transactional } from "../project.ts"
import { Unsuccessful, UsageError, usageError } from "../usageError.ts"

const actions = ["list", "show", "redrive"] as const
type Action = (typeof actions)[number]

const on = (name: string, description: string): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDefault(false), Flag.withDescription(description))

const config = {
  name: Argument.String("name").pipe(Argument.withDescription("The task")),
  action: Argument.Literals("action", actions).pipe(
    Argument.withDescription("list them, show one, or redrive: send them to the source again")
  ),
  ids: Argument.String("id").pipe(
    Argument.withDescription("Ids of transactions; - reads them from stdin, one a line"),
    Argument.variadic()
  ),
  ...filterFlags,
  all: on("all", "Redrive all of them"),
  rate: Flag.String("rate").pipe(
    Flag.withMetavar("RATE"),
    Flag.withDescription("Redrive at most so many in a time: 10/second"),
    Flag.optional
  ),
  dryRun: on("dry-run", "Only count what would be redriven"),
  yes: on("yes", "Redrive without asking first, as it asks on a terminal for more than 100"),
  json: command.json
}

type Input = Command.Command.Config.Infer<typeof config>

/** Rows of a table that nobody has asked for more of. */
const mostRows = 100

/** What has no meaning for the action is a mistake of somebody who means another one. */
const misplaced = ({ action, all, dryRun, ids, rate, yes }: Input): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const only = (flag: string, isGiven: boolean) => {
    if (isGiven && action !== "redrive") problems.push(`--${flag} is for redrive, not for ${action}`)
  }
  only("all", all)
  only("rate", Option.isSome(rate))
  only("dry-run", dryRun)
  only("yes", yes)
  if (action === "list" && ids.length > 0) problems.push(`list takes no ids: \`show\` does, or \`--tag\` and its like`)
  if (action === "show" && ids.length === 0) problems.push("show which one? Give the id of its transaction")
  return problems
}

const readIds = (given: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, UsageError, Stdio.Stdio> =>
  given.includes("-")
    ? Effect.gen(function*() {
      const { readAll } = yield* Effect.promise(() => import("../running/stdin.ts"))
      const lines = (yield* readAll).split("\n").map((line) => line.trim()).filter((line) => line !== "")
      if (lines.length === 0) return yield* new UsageError({ message: "there are no ids on stdin" })
      return [...given.filter((id) => id !== "-"), ...lines]
    })
    : Effect.succeed(given)

/** What the library says in words of code, in words of the command line. */
const told = (error: unknown): unknown => {
  if (!(error instanceof LettersError)) return error
  const message = error.reason.message
    .replace(/from "(sink|source)"/g, "--from $1")
    .replace(/\(Task\.run(Json|Transaction)\)/g, "(`ergon process-transaction`)")
  switch (error.reason._tag) {
    case "Unsupported":
    case "InvalidRequest":
      return new UsageError({ message })
    case "NotFound":
      return new Unsuccessful({ message })
    default:
      return new Unsuccessful({ message: `${error.reason._tag}: ${message}` })
  }
}

const listed = (task: Transactional, filter: Redrive.Filter, json: boolean) =>
  Effect.gen(function*() {
    const Redrive = yield* Effect.promise(() => import("@ergon/core/Redrive"))
    const { letterJson, lettersTable } = yield* Effect.promise(() => import("../letters/text.ts"))
    if (json) {
      return yield* printJson((yield* Stream.runCollect(Redrive.letters(task, filter))).map(letterJson))
    }
    const limit = filter.limit ?? mostRows
    const found = yield* Stream.runCollect(Redrive.letters(task, { ...filter, limit: limit + 1 }))
    if (found.length === 0) return yield* notice(`no dead letters of "${task.name}"${isNarrow(filter) ? " match" : ""}`)
    // A terminal that some tool made may not say how wide it is.
    const width = process.stdout.isTTY ? process.stdout.columns || 80 : Infinity
    yield* print(lettersTable(found.slice(0, limit), yield* Clock.currentTimeMillis, width))
    if (found.length > limit) yield* notice(`these are the oldest ${limit}, and there are more: --limit N shows them`)
  })

const shown = (task: Transactional, ids: ReadonlyArray<string>, filter: Redrive.Filter, json: boolean) =>
  Effect.gen(function*() {
    const Redrive = yield* Effect.promise(() => import("@ergon/core/Redrive"))
    const { letterJson, letterText } = yield* Effect.promise(() => import("../letters/text.ts"))
    const found = yield* Stream.runCollect(Redrive.letters(task, { ...filter, ids }))
    const now = yield* Clock.currentTimeMillis
    if (json) yield* printJson(found.map(letterJson))
    else if (found.length > 0) yield* print(found.map((letter) => letterText(letter, now)).join("\n\n"))
    const missing = ids.filter((id) => !found.some(({ letter }) => letter.id === id))
    if (missing.length > 0) {
      return yield* new Unsuccessful({ message: `no dead letter of "${task.name}" for ${missing.join(", ")}` })
    }
  })

const redriven = (task: Transactional, filter: Redrive.Filter, rate: Redrive.Options["rate"], input: Input) =>
  Effect.gen(function*() {
    if (!input.all && !isNarrow(filter)) {
      return yield* new UsageError({
        message: `redrive which ones? Give ids, a filter (--tag, --step, --category, --older-than, --younger-than, ` +
          `--limit), or --all. \`ergon dead-letters ${task.name} list\` shows them`
      })
    }
    const { redrive } = yield* Effect.promise(() => import("../letters/redriving.ts"))
    yield* redrive(task, { ...filter, rate }, { dryRun: input.dryRun, json: input.json, isSure: input.yes })
  })

const act = (
  action: Action,
  task: Transactional,
  filter: Redrive.Filter,
  rate: Redrive.Options["rate"],
  input: Input
) => {
  switch (action) {
    case "list":
      return listed(task, filter, input.json)
    case "show":
      return shown(task, filter.ids ?? [], filter, input.json)
    case "redrive":
      return redriven(task, filter, rate, input)
  }
}

export const deadLetters = command.make("dead-letters", config, (input) =>
  Effect.gen(function*() {
    const task = yield* transactional(yield* taskNamed(input.name))
    const problems = [...misplaced(input)]
    const ids = yield* readIds(input.ids)
    const filter = yield* readFilter(input, ids, problems)
    const rate = yield* readRate(input.rate, problems)
    if (problems.length > 0) return yield* Effect.fail(usageError(problems))
    yield* Effect.mapError(act(input.action, task, filter, rate, input), told)
  })).pipe(
    Command.withDescription(
      "Lists and shows what a task has given up, and sends it again: from the task's dead-letter connector, and from its " +
        "source's own dead letters. What is redriven is delivered again as it arrived, with a delivery count of 0. " +
        "At-least-once: a redrive that was cut off may send a transaction twice, and loses none."
    ),
    Command.withShortDescription("Lists, shows and redrives what was given up."),
    Command.withExamples([
      { command: "ergon dead-letters orders list", description: "The oldest 100" },
      { command: "ergon dead-letters orders list --tag OutOfStock --younger-than \"2 hours\"" },
      { command: "ergon dead-letters orders show order-7", description: "Everything, with its payload" },
      { command: "ergon dead-letters orders redrive order-7 order-8" },
      { command: "ergon dead-letters orders redrive --tag OutOfStock --dry-run", description: "How many would it be?" },
      { command: "ergon dead-letters orders redrive --all --rate 10/second" }
    ]),
    Command.annotate(Sections, [{
      title: "EXIT CODES",
      lines: [
        "0  done",
        "1  something could not be redriven, or an id has no dead letter",
        "2  flags or arguments are wrong, or the connectors cannot do that; nothing has changed"
      ]
    }])
  )

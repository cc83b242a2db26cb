/**
 * `ergon init NAME`: a new project. Needs no project around it, and no network.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as command from "../command.ts"
import { Argument, Command, Flag } from "../effectCli.ts"
import { print, printJson } from "../output.ts"
import { templates } from "../scaffold/templates.ts"

const [first] = templates

const config = {
  name: Argument.String("name").pipe(
    Argument.withDescription("The folder to make, and the name of the package; \".\" for this folder, when it is empty")
  ),
  template: Flag.Literals("template", templates.map(({ name }) => name)).pipe(
    Flag.withDefault(first.name),
    Flag.withDescription(templates.map(({ description, name }) => `${name}: ${description}`).join("; "))
  ),
  task: Flag.String("task").pipe(
    Flag.optional,
    Flag.withDescription(
      `The name of its task; ${templates.map(({ name, task }) => `${task} for ${name}`).join(", ")} unless given`
    )
  ),
  json: command.json
}

interface Made {
  readonly project: string
  readonly directory: string
  readonly template: string
  readonly task: string
  readonly files: ReadonlyArray<string>
}

const told = (made: Made, given: string): string =>
  [
    `${made.directory}: ${made.files.length} files, template ${made.template}, task ${made.task}`,
    "",
    "Next:",
    ...(given === "." ? [] : [`  cd ${given}`]),
    "  npm install",
    "  npm test         what the task promises, on connectors in memory",
    "  npm start        sends samples and works on them; Ctrl-C drains and stops",
    "",
    "README.md says what is where."
  ].join("\n")

export const init = command.make("init", config, ({ json, name, task, template: wanted }) =>
  Effect.gen(function*() {
    const { scaffold } = yield* Effect.promise(() => import("../scaffold/scaffold.ts"))
    const made = yield* scaffold(process.cwd(), { name, template: wanted, task: Option.getOrUndefined(task) })
    yield* json ? printJson(made) : print(told(made, name))
  })).pipe(
    Command.withDescription("Makes a project that works at once, in a new or an empty folder. It overwrites nothing."),
    Command.withExamples([
      { command: "ergon init my-project", description: "a consumer of a queue" },
      {
        command: "ergon init shop --template hybrid --task orders",
        description: "a pipeline whose task is \"orders\""
      },
      { command: "ergon init .", description: "into this folder, which is empty but for .git" }
    ])
  )

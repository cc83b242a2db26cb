/**
 * `ergon plan`: what a task will do, before it does it. Nothing is connected.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as command from "../command.ts"
import { environment } from "../config/policies.ts"
import * as policies from "../config/policyFlags.ts"
import { flagOf, shortcutFlags, shortcutsOf } from "../config/policyShortcuts.ts"
import { Argument, Command, Flag } from "../effectCli.ts"
import { Sections } from "../help.ts"
import { print, printJson } from "../output.ts"
import { type AnyTask, type Project, taskNamed, tasks } from "../project.ts"
import { UsageError, usageError } from "../usageError.ts"

const on = (name: string, description: string): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDefault(false), Flag.withDescription(description))

const config = {
  name: Argument.String("name").pipe(
    Argument.withDescription("The task; not needed when there is only one"),
    Argument.optional
  ),
  all: on("all", "Show every field of the policy, those that are not set last"),
  mermaid: on("mermaid", "Print a Mermaid flowchart instead"),
  json: command.json,
  ...shortcutFlags,
  policy: policies.policyFlags
}

const meant = (name: Option.Option<string>): Effect.Effect<AnyTask, UsageError, Project> =>
  Option.isSome(name) ? taskNamed(name.value) : Effect.flatMap(tasks, (all) =>
    all.length === 1
      ? Effect.succeed(all[0]!)
      : Effect.fail(
        new UsageError({
          message: all.length === 0
            ? "the project has no task yet. `ergon list` says how to add one"
            : `which task? Name one of: ${all.map(({ name }) => name).join(", ")}`
        })
      ))

export const plan = command.make("plan", config, (input) =>
  Effect.gen(function*() {
    if (input.mermaid && input.json) {
      return yield* Effect.fail(usageError(["--mermaid and --json are two ways to print a plan: give one of them"]))
    }
    const task = yield* meant(input.name)
    const shortcuts = shortcutsOf(input)
    const fromFlags = yield* policies.read(input.policy, shortcuts)
    const fromEnvironment = yield* environment(task)
    const unreadable = [...fromFlags.problems, ...fromEnvironment.problems]
    if (unreadable.length > 0) return yield* Effect.fail(usageError(unreadable))
    const Outline = yield* Effect.promise(() => import("@ergon/core/Outline"))
    const { planText } = yield* Effect.promise(() => import("../plan/text.ts"))
    const outline = Outline.of(task, {
      environment: fromEnvironment.input,
      flags: fromFlags.input,
      flagOf: flagOf(shortcuts)
    })
    if (input.json) yield* printJson(Outline.toJson(outline))
    else yield* print(input.mermaid ? Outline.toMermaid(outline) : planText(outline, input.all))
    if (outline.problems.length > 0) {
      const problems = outline.problems.map((problem) => `\n- ${problem}`).join("")
      return yield* Effect.fail(new UsageError({ message: `"${task.name}" would be refused:${problems}` }))
    }
  })).pipe(
    Command.withDescription(
      "Shows what a task will do: its source, steps and sinks, the guarantee, how long things can take at the most, and " +
        "the policy in force with where each value comes from. Nothing is run and nothing is connected. Flags and " +
        "variables are those of `ergon run`."
    ),
    Command.withShortDescription("Shows what a task will do."),
    Command.withExamples([
      { command: "ergon plan orders", description: "The policy that is set, and the worst cases that follow from it" },
      { command: "ergon plan orders --all", description: "Every field of the policy" },
      { command: "ergon plan orders --process-timeout 5", description: "What would follow from another policy" },
      { command: "ergon plan orders --mermaid > orders.mmd", description: "A flowchart" },
      { command: "ergon plan orders --json | jq .worstCase.transaction.time", description: "For scripts" }
    ]),
    Command.annotate(Sections, [
      policies.section,
      {
        title: "EXIT CODES",
        lines: ["0 when the task can run as planned; 2 when its run would be refused, or flags or variables are wrong."]
      }
    ])
  )

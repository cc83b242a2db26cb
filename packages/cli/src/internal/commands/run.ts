/**
 * `ergon run`: runs tasks until their sources end, or until a signal.
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as command from "../command.ts"
import { adjust } from "../config/policies.ts"
import * as policies from "../config/policyFlags.ts"
import { shortcutFlags, shortcutsOf } from "../config/policyShortcuts.ts"
import * as settings from "../config/settings.ts"
import { Argument, Command, Flag } from "../effectCli.ts"
import { Sections } from "../help.ts"
import { chosen } from "../project.ts"
import { usageError } from "../usageError.ts"

const text = (name: string, metavar: string, description: string): Flag.Flag<Option.Option<string>> =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

const on = (name: string, description: string): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDefault(false), Flag.withDescription(description))

const flags = {
  names: Argument.String("name").pipe(
    Argument.withDescription("Tasks to run, all in one process; not needed when there is only one"),
    Argument.variadic()
  ),
  all: on("all", "Run every task of the project"),
  ...shortcutFlags,
  workers: text("workers", "COUNT", "Run so many isolated copies of each task (ERGON_WORKERS)"),
  workerKind: text("worker-kind", "process|thread", "What a copy runs in; process unless given (ERGON_WORKER_KIND)"),
  httpPort: text("http-port", "PORT", "Serve /live, /ready, /metrics and /status there (ERGON_HTTP_PORT)"),
  httpHost: text("http-host", "HOST", "Where to listen; only this machine unless given (ERGON_HTTP_HOST)"),
  noProgress: on("no-progress", "Show none: neither the live lines nor a line every 10 seconds"),
  quiet: Flag.Boolean("quiet").pipe(
    Flag.withAlias("q"),
    Flag.withoutNegation,
    Flag.withDefault(false),
    Flag.withDescription("Only warnings and errors: no progress, no summary")
  ),
  json: command.json,
  policy: policies.policyFlags
}

export const run = command.makePrepared("run", flags, (input) =>
  Effect.gen(function*() {
    const fromFlags = yield* policies.read(input.policy, shortcutsOf(input))
    const runner = yield* settings.read(input)
    const which = yield* Effect.result(chosen(input.names, input.all))
    const laid = yield* adjust(Result.isSuccess(which) ? which.success : [], fromFlags.input)
    const problems = [
      ...(Result.isFailure(which) ? [which.failure.message] : []),
      ...fromFlags.problems,
      ...runner.problems,
      ...laid.problems
    ]
    if (problems.length > 0) return yield* Effect.fail(usageError(problems))
    const { start } = yield* Effect.promise(() => import("../running/start.ts"))
    return start({
      tasks: laid.adjusted,
      settings: runner.settings,
      progress: !input.noProgress && !input.quiet,
      quiet: input.quiet,
      json: input.json
    })
  })).pipe(
    Command.withDescription(
      "Runs tasks until their sources end: when they are empty, or for a streaming task when it is told to stop. " +
        "The first Ctrl-C (or SIGTERM) drains: nothing new is fetched, what runs may finish within shutdown.grace. " +
        "The second one interrupts what runs and releases it; the third exits at once."
    ),
    Command.withShortDescription("Runs tasks."),
    Command.withExamples([
      { command: "ergon run orders", description: "One task" },
      { command: "ergon run --all", description: "All tasks in one process" },
      { command: "ergon run orders --once --limit 100", description: "At most 100, and no waiting for more" },
      {
        command: "ergon run orders --workers 4 --http-port 8080",
        description: "Four copies, with an endpoint for probes"
      },
      {
        command: "ergon run orders --process-retry-max-attempts 3 --process-retry-backoff 2",
        description: "Another policy; a bare number of a duration is seconds"
      },
      {
        command: "ERGON_ORDERS_LOOP_CONCURRENCY=8 ergon run orders --env-file .env",
        description: "The same by variables: ERGON_<TASK>_<FIELD>"
      }
    ]),
    Command.annotate(Sections, [
      policies.section,
      {
        title: "EXIT CODES",
        lines: [
          "0 when all is done, also with dead letters; 1 when a run failed; 2 when nothing was run because flags or",
          "variables are wrong; 130, 143 or 129 when SIGINT, SIGTERM or SIGHUP ended it."
        ]
      }
    ])
  )

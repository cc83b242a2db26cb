/**
 * `ergon` and all of its commands. A new command is a file in commands/ that makes it with `command.make`, and a line
 * here.
 */
import { list } from "./commands/list.ts"
import { Command } from "./effectCli.ts"

export const root = Command.make("ergon").pipe(
  Command.withDescription("Lists, runs, scales, drains and inspects the tasks of a project."),
  Command.withSubcommands([list])
)

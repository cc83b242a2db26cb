/**
 * `ergon` and all of its commands. A new command is a file in commands/ that makes it with `command.make`, and a line
 * here.
 */
import { EnvFiles } from "./command.ts"
import { init } from "./commands/init.ts"
import { count } from "./commands/count.ts"
import { deadLetters } from "./commands/deadLetters.ts"
import { list } from "./commands/list.ts"
import { plan } from "./commands/plan.ts"
import { policy } from "./commands/policy.ts"
import { processTransaction } from "./commands/processTransaction.ts"
import { processTransactionById } from "./commands/processTransactionById.ts"
import { run } from "./commands/run.ts"
import { Command } from "./effectCli.ts"
import { Sections } from "./help.ts"

export const root = Command.make("ergon").pipe(
  Command.withDescription("Lists, runs, scales, drains and inspects the tasks of a project."),
  Command.annotate(Sections, [
    {
      title: "THE PROJECT",
      lines: [
        "package.json names the main file, and the main file names the tasks; nothing is searched for:",
        "  { \"ergon\": { \"main\": \"src/main.ts\" } }",
        "  Ergon.main([orders, invoices])",
        "The main file runs by itself, too: `node src/main.ts run orders` is `ergon run orders`."
      ]
    },
    {
      title: "EXIT CODES",
      lines: [
        "0    done; dead letters alone leave it 0, the summary counts them",
        "1    a run failed, a connector could not connect, a transaction did not succeed",
        "2    flags, arguments, variables or the project are wrong; nothing has run",
        "130  ended by SIGINT (Ctrl-C), 143 by SIGTERM, 129 by SIGHUP, after draining"
      ]
    }
  ]),
  Command.withSubcommands([
    list,
    run,
    plan,
    count,
    processTransaction,
    processTransactionById,
    deadLetters,
    policy,
    init
  ]),
  Command.withGlobalFlags([EnvFiles])
)

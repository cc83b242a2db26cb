/**
 * A process that consumes a watched folder, for tests that kill it: `folderWorker.ts <folder> <ledger> <lease> <streaming>`.
 * It writes the name and the content of every file that it processes to the ledger, which is there once it runs.
 */
import { Connector, Task } from "@ergon/core"
import { Effect } from "effect"
import * as fs from "node:fs"
import { Folder } from "../index.ts"

class Inbox extends Connector.Source<Inbox>()("inbox", Folder.File) {}

const [folder = "", ledger = "", lease = "", streaming = ""] = process.argv.slice(2)

const task = Task.consumer("worker", Inbox, ({ payload }) =>
  Effect.sync(() => {
    const content = fs.readFileSync(payload.path, "utf8")
    fs.appendFileSync(ledger, `${payload.name} ${content}\n`)
  })).pipe(
    Task.policy({
      loop: { concurrency: 16, streaming: streaming === "true" },
      process: { retry: { maxAttempts: 1 } }
    })
  )

fs.appendFileSync(ledger, "")
await Effect.runPromise(
  Effect.provide(Task.run(task), Folder.source(Inbox, { path: folder, stableFor: 0, lease: Number(lease), poll: 20 }))
)

/**
 * A watched folder: each file is one transaction. It ends in done/, or in failed/ with its reason beside it.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Connector, Decision, Task } from "@ergon/core"
import { Folder } from "@ergon/files"
import { Console, Effect, Schema } from "effect"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

class Inbox extends Connector.Source<Inbox>()("inbox", Folder.File) {}
class Empty extends Schema.TaggedError<Empty>()("Empty", { message: Schema.String }) {}

// The payload says where the file is. It is there until the transaction is settled, and nobody else has it.
const count = Task.consumer(
  "count",
  Inbox,
  Effect.fnUntraced(function*({ payload: { name, path } }) {
    const text = yield* Effect.promise(() => readFile(path, "utf8"))
    if (text === "") return yield* new Empty({ message: `${name} is empty` })
    yield* Console.log(`${name}: ${text.trimEnd().split("\n").length} lines`)
  })
).pipe(Task.decide({ Empty: Decision.deadLetter }))

const newFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "inbox-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

const program = Effect.gen(function*() {
  const inbox = yield* newFolder
  yield* Effect.promise(() => writeFile(join(inbox, "colours.txt"), "red\ngreen\nblue\n"))
  yield* Effect.promise(() => writeFile(join(inbox, "nothing.txt"), ""))

  // With `loop.streaming` it would go on watching. These files are complete: no need to wait until they no longer grow.
  yield* Task.run(count).pipe(Effect.provide(Folder.source(Inbox, { path: inbox, pattern: "*.txt", stableFor: 0 })))

  yield* Console.log(`done: ${(yield* Effect.promise(() => readdir(join(inbox, "done")))).join(", ")}`)
  yield* Console.log(`failed: ${(yield* Effect.promise(() => readdir(join(inbox, "failed")))).join(", ")}`)
})

program.pipe(Effect.scoped, NodeRuntime.runMain)

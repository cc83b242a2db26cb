/**
 * A watched folder as a source: a file is one transaction.
 *
 * A file is claimed by renaming it into `processing/`, ends in `done/` or `failed/`, and is never copied, changed or
 * removed. Any number of tasks, in one process or in several on one machine, can share a folder: a rename has one
 * winner.
 *
 * @since 0.1.0
 */
import * as Connector from "@ergon/core/Connector"
import { FetchError } from "@ergon/core/ConnectorError"
import { InvalidRequest } from "@ergon/core/Reason"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { folderSource } from "./internal/folder/source.ts"

/**
 * The payload of a watched folder: a file, not its content. A task reads the content itself, as a whole or as a stream.
 *
 * **Details**
 * - `name`: the name under which it was put into the folder; the id of the transaction.
 * - `path`: where it is until it is settled, below `processing/`. Another delivery has another path.
 * - `size`: in bytes.
 * - `modifiedAt`: when it was last changed.
 *
 * @category schemas
 * @since 0.1.0
 */
export class File extends Schema.Class<File>("@ergon/files/Folder/File")({
  name: Schema.NonEmptyString,
  path: Schema.NonEmptyString,
  size: Schema.Number,
  modifiedAt: Schema.Date
}) {}

/**
 * The settings of a watched folder.
 *
 * **Details**
 * - `path`: the folder. It must exist.
 * - `pattern`: which names are processed: a glob (`*.csv`) or a regular expression; all of them unless given. Names that
 *   begin with a dot or end in `.tmp` or `.part`, subfolders, and symbolic links never are.
 * - `processing`, `done`, `failed`: the names of the subfolders that hold what is claimed, what succeeded, and what was
 *   given up. They are made when they are missing, on the device of the folder.
 * - `stableFor`: a file that changed within this time still grows and is not claimed (1 second). Zero claims at once,
 *   for a folder into which files are only ever renamed.
 * - `lease`: how long a claim is ours after the fetch or its last extension; then another process takes it over, with a
 *   higher count (1 minute, at least 100 milliseconds). Processes that share a folder must agree on it, and on the time.
 * - `poll`: how long an idle fetch waits between looks at the folder (500 milliseconds).
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly path: string
  readonly pattern?: string | RegExp | undefined
  readonly processing?: string | undefined
  readonly done?: string | undefined
  readonly failed?: string | undefined
  readonly stableFor?: Duration.Input | undefined
  readonly lease?: Duration.Input | undefined
  readonly poll?: Duration.Input | undefined
}

const between = (
  name: string,
  input: Duration.Input,
  minimum: number
): Effect.Effect<number, FetchError> =>
  Effect.suspend(() => {
    const millis = Duration.toMillis(Duration.fromInputUnsafe(input))
    return Number.isFinite(millis) && millis >= minimum
      ? Effect.succeed(millis)
      : Effect.fail(
        new FetchError({
          reason: new InvalidRequest({ message: `"${name}" must be finite and at least ${minimum} milliseconds` })
        })
      )
  })

/**
 * A source of the files of a folder, in the order of their last change, then of their names.
 *
 * **Details**
 * At-least-once. A file is claimed by one rename, so two processes never hold one at the same time; one whose process
 * died is taken over when its lease is over, with a higher delivery count, which is kept in the name of its claim and
 * survives crashes. Ack moves the file to `done/`, DeadLetter to `failed/` with the letter in `<name>.reason.json`
 * beside it; a name that is taken there gets a number. Requeue and Release leave it below `processing/`, free for
 * anybody. Requeue delays are held by the engine.
 *
 * Worst case until a file is seen: `stableFor` and one `poll`.
 *
 * Building the Layer fails with a `FetchError` when the folder does not exist (`NotFound`), must not be used
 * (`Unauthorized`), or the settings are wrong (`InvalidRequest`).
 *
 * **Gotchas**
 * The id is the name. A second file of a name that is being processed waits until that is settled; one that comes later
 * is another transaction of the same id. In a run that is not streaming, a file younger than `stableFor` counts as
 * delayed and is left for the next run.
 *
 * **Example** (Processing what is put into a folder)
 * ```ts import.meta.vitest
 * import { Connector, Task } from "@ergon/core"
 * import { Folder } from "@ergon/files"
 * import { Effect } from "effect"
 * import * as fs from "node:fs/promises"
 * import * as os from "node:os"
 * import * as path from "node:path"
 *
 * class Inbox extends Connector.Source<Inbox>()("inbox", Folder.File) {}
 *
 * const lines = Task.consumer("lines", Inbox, ({ payload }) =>
 *   Effect.map(Effect.promise(() => fs.readFile(payload.path, "utf8")), (text) => text.split("\n").length))
 *
 * const inbox = await fs.mkdtemp(path.join(os.tmpdir(), "inbox-"))
 * await fs.writeFile(path.join(inbox, "a.txt"), "one\ntwo")
 * const summary = await Effect.runPromise(
 *   Effect.provide(Task.run(lines), Folder.source(Inbox, { path: inbox, stableFor: 0 }))
 * )
 * summary.succeeded // => 1
 * await fs.readdir(path.join(inbox, "done")) // => ["a.txt"]
 * await fs.rm(inbox, { recursive: true })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const source = <Self, Id extends string>(
  key: Connector.SourceClass<Self, Id, typeof File>,
  options: Options
): Layer.Layer<Self, FetchError> =>
  Connector.layerSource(
    key,
    Effect.gen(function*() {
      const stableFor = yield* between("stableFor", options.stableFor ?? "1 second", 0)
      const lease = yield* between("lease", options.lease ?? "1 minute", 100)
      const poll = yield* between("poll", options.poll ?? "500 millis", 1)
      return yield* folderSource({
        path: options.path,
        pattern: options.pattern,
        processing: options.processing ?? "processing",
        done: options.done ?? "done",
        failed: options.failed ?? "failed",
        stableFor,
        lease,
        poll
      })
    })
  )

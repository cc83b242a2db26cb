/**
 * JSONL files: one JSON value per line.
 *
 * A file as a source is read as a stream, in constant memory, and can be resumed: the position up to which everything
 * is done stands in a sidecar. Delivery guarantee: at-least-once. What was handed over and not settled before a crash
 * is delivered again.
 *
 * @since 0.1.0
 */
import { Connector, type ConnectorError } from "@ergon/core"
import type * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { jsonlSource } from "./internal/source/formats.ts"

/**
 * How a JSONL file is read.
 *
 * **Details**
 * - `path`: the file.
 * - `id`: the field whose value is the id of a transaction (a text, or a number), or a function of the undecoded
 *   payload. Unless given, an id is `<file name>:<line number>`. A payload without an id is malformed.
 * - `envelope`: a line is `{ "id", "payload", "metadata" }`, as `Jsonl.sink` writes it with the same option: id, metadata
 *   and trace context travel with the payload. `false` unless given: the line is the payload.
 * - `offset`: the path of the sidecar that keeps the position; `<path>.offset` unless given. `false` keeps none: every
 *   run reads the file from its beginning.
 * - `follow`: goes on waiting for lines that are appended, as `tail -f` does; a last line is delivered once its line
 *   break is there. `false` unless given: the source signals its end.
 * - `poll`: how often a followed file is looked at; 200 milliseconds unless given.
 * - `maxLine`: how many bytes a line may have, without its line feed; 16 MiB unless given. A longer one is malformed,
 *   and only its beginning is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceOptions {
  readonly path: string
  readonly id?: string | ((payload: unknown) => string) | undefined
  readonly envelope?: boolean | undefined
  readonly offset?: string | false | undefined
  readonly follow?: boolean | undefined
  readonly poll?: Duration.Input | undefined
  readonly maxLine?: number | undefined
}

/**
 * A source that hands over the lines of a JSONL file, in their order.
 *
 * **Details**
 * - Metadata: `file`, the path as it was given; `line`, from 1; `offset`, the byte at which the line begins.
 * - A line that is not JSON, not UTF-8 or too long is a malformed delivery that names file, line and what is wrong; it
 *   is dead-lettered as `invalid` with its text as payload, and the rest goes on. Blank lines are skipped, and so is a
 *   byte order mark.
 * - Settling stores the position after the last transaction before which everything is done: written beside the
 *   sidecar, synced, renamed. One write for a batch of settlements.
 * - A file has one reader at a time: the sidecar is locked for as long as the Layer lives.
 * - Worst case of an idle wait: a fetch from a followed file sees a new line after `poll`.
 *
 * Building the Layer fails with `FetchError`: reason `NotFound` for a missing file, `Unauthorized` for one that may not
 * be read, `InvalidRequest` for a directory, a wrong option, a locked or damaged sidecar, and a sidecar that belongs to
 * another content: a file that is shorter than the position, or changed before it.
 *
 * **Example** (Reading orders)
 * ```ts import.meta.vitest
 * import { Connector, Task } from "@ergon/core"
 * import { Jsonl } from "@ergon/files"
 * import { Effect, Schema } from "effect"
 * import { mkdtempSync, writeFileSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * class Orders extends Connector.Source<Orders>()("orders", Schema.Struct({ sku: Schema.String })) {}
 *
 * const path = join(mkdtempSync(join(tmpdir(), "orders-")), "orders.jsonl")
 * writeFileSync(path, `{"sku":"bolt"}\n{"sku":"nut"}\n`)
 *
 * const seen: Array<string> = []
 * const task = Task.consumer("orders", Orders, ({ id, payload }) =>
 *   Effect.sync(() => {
 *     seen.push(`${id} ${payload.sku}`)
 *   })).pipe(Task.discardFailures)
 * await Effect.runPromise(Effect.provide(Task.run(task), Jsonl.source(Orders, { path })))
 * seen // => ["orders.jsonl:1 bolt", "orders.jsonl:2 nut"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const source = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  options: SourceOptions
): Layer.Layer<Self, ConnectorError.FetchError> => Connector.layerSource(key, jsonlSource(options))

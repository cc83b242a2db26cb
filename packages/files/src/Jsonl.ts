/**
 * JSONL files: one JSON value per line.
 *
 * A file as a source is read as a stream, in constant memory, and can be resumed: the position up to which everything
 * is done stands in a sidecar. Delivery guarantee: at-least-once. What was handed over and not settled before a crash
 * is delivered again.
 *
 * A file as a sink grows by whole lines, and what it confirms is on disk.
 *
 * @since 0.1.0
 */
import { Connector, type ConnectorError } from "@ergon/core"
import type * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { jsonlSink } from "./internal/sink/formats.ts"
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

/**
 * How a JSONL file is written.
 *
 * **Details**
 * - `path`: the file. It is made when it is missing, and so are the folders that lead to it.
 * - `envelope`: a line is `{ "id", "payload", "metadata" }`, for a reader that needs the id or the trace context.
 *   `false` unless given: the line is the payload.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkOptions {
  readonly path: string
  readonly envelope?: boolean | undefined
}

/**
 * A sink that appends a line to a JSONL file for every transaction.
 *
 * **Details**
 * - A dispatch is confirmed when its whole batch is on disk: one write and one flush (fdatasync) for all of it; a new
 *   file's folder is flushed too. At-least-once: a line can be there twice after a crash between the flush and the
 *   settlement.
 * - What a killed process left behind the last complete line was never confirmed; opening the file moves it to
 *   `<path>.torn`, with a warning.
 * - A dispatch that fails leaves nothing of its batch in the file. A full disk is `Throttled`, so it is tried again
 *   until the transaction's deadline, and then requeued.
 * - A file has one writer at a time, guarded by `<path>.lock`; the lock of a process that died is taken over.
 * - A file that is removed while it is open is begun anew. Worst case of a dispatch: what the disk takes for a write and
 *   a flush, after those of the dispatch before it.
 *
 * Building the Layer fails with `DispatchError`: reason `InvalidRequest` for a file that another process writes or that
 * is no regular file, `Unauthorized` for one that may not be written.
 *
 * **Example** (Writing receipts)
 * ```ts import.meta.vitest
 * import { Connector, Transaction } from "@ergon/core"
 * import { Jsonl } from "@ergon/files"
 * import { Effect, Schema } from "effect"
 * import { mkdtempSync, readFileSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ total: Schema.Number })) {}
 *
 * const path = join(mkdtempSync(join(tmpdir(), "receipts-")), "receipts.jsonl")
 * const send = Connector.send(Receipts, Transaction.make("receipt-1", { total: 12 }))
 * await Effect.runPromise(Effect.provide(send, Jsonl.sink(Receipts, { path })))
 * readFileSync(path, "utf8") // => '{"total":12}\n'
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const sink = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  options: SinkOptions
): Layer.Layer<Self, ConnectorError.DispatchError> =>
  Connector.layerSink(key, jsonlSink(options.path, { envelope: options.envelope ?? false }))

/**
 * A sink that appends dead letters to a JSONL file: a line is a `DeadLetter`, which has the id, payload and metadata of
 * the transaction in it. Everything else is as in `sink`.
 *
 * **Example** (Keeping what failed)
 * ```ts
 * import { Connector } from "@ergon/core"
 * import { Jsonl } from "@ergon/files"
 *
 * class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}
 *
 * const layer = Jsonl.deadLetters(DeadOrders, { path: "out/dead-orders.jsonl" })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const deadLetters = <Self, Id extends string>(
  key: Connector.DeadLettersClass<Self, Id>,
  options: { readonly path: string }
): Layer.Layer<Self, ConnectorError.DispatchError> =>
  Connector.layerDeadLetters(key, jsonlSink(options.path, { envelope: false }))

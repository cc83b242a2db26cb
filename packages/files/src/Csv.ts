/**
 * CSV files: one record per line, as in RFC 4180.
 *
 * A file as a source is read as a stream, in constant memory, and can be resumed: the position up to which everything
 * is done stands in a sidecar. Delivery guarantee: at-least-once. What was handed over and not settled before a crash
 * is delivered again.
 *
 * A file as a sink grows by whole rows, and what it confirms is on disk.
 *
 * @since 0.1.0
 */
import { Connector, type ConnectorError } from "@ergon/core"
import type * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { csvSink } from "./internal/sink/formats.ts"
import { csvSource } from "./internal/source/formats.ts"

/**
 * How a CSV file is read.
 *
 * **Details**
 * - `path`: the file.
 * - `delimiter`: between fields, one ASCII character; a comma unless given.
 * - `columns`: the names of the columns of a file without a header. Unless given, the first record is the header.
 * - `empty`: what an empty cell is: `"text"`, an empty text, unless given; `"absent"`: the field is missing, as an
 *   optional field of the schema wants it.
 * - `id`: the column whose value is the id of a transaction, or a function of the row. Unless given, an id is
 *   `<file name>:<line number>`, of the line in which the record begins. A row without an id is malformed.
 * - `offset`: the path of the sidecar that keeps the position; `<path>.offset` unless given. `false` keeps none: every
 *   run reads the file from its beginning.
 * - `follow`: goes on waiting for records that are appended, as `tail -f` does; a last record is delivered once its
 *   line break is there. `false` unless given: the source signals its end.
 * - `poll`: how often a followed file is looked at; 200 milliseconds unless given.
 * - `maxLine`: how many bytes a record may have, without its line feed; 16 MiB unless given. A longer one is malformed,
 *   and only its beginning is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceOptions {
  readonly path: string
  readonly delimiter?: string | undefined
  readonly columns?: ReadonlyArray<string> | undefined
  readonly empty?: "text" | "absent" | undefined
  readonly id?: string | ((row: { readonly [column: string]: string }) => string | undefined) | undefined
  readonly offset?: string | false | undefined
  readonly follow?: boolean | undefined
  readonly poll?: Duration.Input | undefined
  readonly maxLine?: number | undefined
}

/**
 * A source that hands over the records of a CSV file, in their order. A payload is an object of strings, named by the
 * columns: its schema decodes `Schema.Number`, `Schema.Date` and the like from their text.
 *
 * **Details**
 * - Metadata: `file`, the path as it was given; `line`, from 1, in which the record begins; `offset`, the byte at which
 *   it begins.
 * - A record with a wrong number of fields, a misplaced quote or invalid UTF-8, or one that is too long, is a malformed
 *   delivery that names file, line and what is wrong; it is dead-lettered as `invalid` with its text as payload, and the
 *   rest goes on. A quoted field that is never closed costs the line in which it begins. Blank lines are skipped, and so
 *   is a byte order mark. Records end with LF or CRLF.
 * - Settling stores the position after the last transaction before which everything is done: written beside the
 *   sidecar, synced, renamed. One write for a batch of settlements.
 * - A file has one reader at a time: the sidecar is locked for as long as the Layer lives.
 * - Worst case of an idle wait: a fetch from a followed file sees a new record after `poll`.
 *
 * Building the Layer fails with `FetchError`: reason `NotFound` for a missing file, `Unauthorized` for one that may not
 * be read, `InvalidRequest` for a directory, a header that cannot be used, a wrong option, a locked or damaged sidecar,
 * and a sidecar that belongs to another content: a file that is shorter than the position, or changed before it.
 *
 * **Example** (Reading orders)
 * ```ts import.meta.vitest
 * import { Connector, Task } from "@ergon/core"
 * import { Csv } from "@ergon/files"
 * import { Effect, Schema } from "effect"
 * import { mkdtempSync, writeFileSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * class Orders
 *   extends Connector.Source<Orders>()("orders", Schema.Struct({ sku: Schema.String, quantity: Schema.Int }))
 * {}
 *
 * const path = join(mkdtempSync(join(tmpdir(), "orders-")), "orders.csv")
 * writeFileSync(path, `sku,quantity\nbolt,12\n"nut, large",3\n`)
 *
 * const seen: Array<string> = []
 * const task = Task.consumer("orders", Orders, ({ id, payload }) =>
 *   Effect.sync(() => {
 *     seen.push(`${id} ${payload.quantity} ${payload.sku}`)
 *   })).pipe(Task.discardFailures)
 * await Effect.runPromise(Effect.provide(Task.run(task), Csv.source(Orders, { path })))
 * seen // => ["orders.csv:2 12 bolt", "orders.csv:3 3 nut, large"]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const source = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SourceClass<Self, Id, S>,
  options: SourceOptions
): Layer.Layer<Self, ConnectorError.FetchError> => Connector.layerSource(key, csvSource(options))

/**
 * How a CSV file is written.
 *
 * **Details**
 * - `path`: the file. It is made when it is missing, and so are the folders that lead to it.
 * - `columns`: the fields that are written, in this order; other fields are left out, and a name that is no field is
 *   refused. Unless given, the fields of the key's schema, as they are encoded; a schema that does not name its fields (a
 *   record, a union) needs them.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkOptions {
  readonly path: string
  readonly columns?: ReadonlyArray<string> | undefined
}

/**
 * A sink that appends a row to a CSV file for every transaction, quoted as RFC 4180 says.
 *
 * **Details**
 * - The fields at the top of the payload are the columns. A payload with a nested value (an object, a list) fails alone
 *   with `InvalidRequest`, which names the field. A missing field is an empty cell; `null` is what the codec of its
 *   schema makes of it, the text `null`.
 * - A new file begins with the header. The header of an existing file must be the columns; rows are appended with the
 *   line ends that it has.
 * - A dispatch is confirmed when its whole batch is on disk: one write and one flush (fdatasync) for all of it; a new
 *   file's folder is flushed too. At-least-once: a row can be there twice after a crash between the flush and the
 *   settlement.
 * - What a killed process left behind the last complete row was never confirmed; opening the file moves it to
 *   `<path>.torn`, with a warning. Opening reads the whole file once: a line break may stand within quotes.
 * - A dispatch that fails leaves nothing of its batch in the file. A full disk is `Throttled`, so it is tried again
 *   until the transaction's deadline, and then requeued.
 * - A file has one writer at a time, guarded by `<path>.lock`; the lock of a process that died is taken over.
 *
 * Building the Layer fails with `DispatchError`: reason `InvalidRequest` for columns that are missing or differ from the
 * header, for a file that another process writes and for what is no regular file; `Unauthorized` for a file that may not
 * be written.
 *
 * **Example** (Writing receipts)
 * ```ts import.meta.vitest
 * import { Connector, Transaction } from "@ergon/core"
 * import { Csv } from "@ergon/files"
 * import { Effect, Schema } from "effect"
 * import { mkdtempSync, readFileSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 *
 * class Receipts
 *   extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ item: Schema.String, total: Schema.Number }))
 * {}
 *
 * const path = join(mkdtempSync(join(tmpdir(), "receipts-")), "receipts.csv")
 * const send = Connector.send(Receipts, Transaction.make("receipt-1", { item: "nut, large", total: 12 }))
 * await Effect.runPromise(Effect.provide(send, Csv.sink(Receipts, { path })))
 * readFileSync(path, "utf8") // => 'item,total\r\n"nut, large",12\r\n'
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const sink = <Self, Id extends string, S extends Schema.Constraint>(
  key: Connector.SinkClass<Self, Id, S>,
  options: SinkOptions
): Layer.Layer<Self, ConnectorError.DispatchError> =>
  Connector.layerSink(key, csvSink(key.payload, options.path, options.columns))

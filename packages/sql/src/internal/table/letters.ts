/**
 * The table of a sink of dead letters: what a person looks for in columns of its own, in the order of their arrival.
 *
 * A letter's key names its place in that order, which a transaction that is given up again leaves, and what stands
 * there: a place may be used again, and never for the same letter.
 */
import { type Connector, ConnectorError, DeadLetter } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Database } from "../../Database.ts"
import type { SetupError } from "../../SetupError.ts"
import type { Client, SqlError } from "../effectSql.ts"
import { metadataOf, payloadOf } from "../letter.ts"
import { reasonOf } from "../reason.ts"
import { closed } from "../rowSink.ts"
import { toColumn } from "./columns.ts"
import { openTable, prepare, quoted, type Table } from "./sink.ts"

const text = "TEXT"

/** A transaction that is given up again replaces its letter. */
const letterTable = (name: string, inOrder: boolean): Table => ({
  name,
  columns: [
    { name: "source", type: text },
    { name: "id", type: text },
    { name: "task", type: text },
    { name: "failed_at", type: text },
    { name: "step", type: text },
    { name: "category", type: text },
    { name: "reason", type: text },
    { name: "error_tag", type: text },
    { name: "error_message", type: text },
    { name: "attempts", type: "INTEGER" },
    { name: "deliveries", type: "INTEGER" },
    { name: "payload", type: text },
    { name: "metadata", type: text }
  ],
  // The id first: letters are looked up by it.
  primaryKey: ["id", "source"],
  inOrder,
  row: ({ payload }) => {
    const at = (object: unknown, field: string): unknown =>
      typeof object === "object" && object !== null ? Reflect.get(object, field) : undefined
    const field = (name: string) => toColumn(at(payload, name))
    const error = at(payload, "error")
    return [
      field("source"),
      field("id"),
      field("task"),
      field("failedAt"),
      field("step"),
      field("category"),
      field("reason"),
      toColumn(at(error, "tag")),
      toColumn(at(error, "message")),
      field("attempts"),
      field("deliveries"),
      JSON.stringify(at(payload, "payload")) ?? null,
      field("metadata")
    ]
  }
})

interface LetterRow {
  readonly place: number
  readonly source: string
  readonly id: string
  readonly task: string | null
  readonly failed_at: string | null
  readonly step: string | null
  readonly category: string | null
  readonly reason: string | null
  readonly error_tag: string | null
  readonly error_message: string | null
  readonly attempts: number | null
  readonly deliveries: number | null
  readonly payload: string | null
  readonly metadata: string | null
}

const decodeStep = Schema.decodeUnknownOption(DeadLetter.DeadLetter.fields.step)
const decodeCategory = Schema.decodeUnknownOption(DeadLetter.DeadLetter.fields.category)

/** Rows can be written by hand: what is missing is said to be. */
const letterOf = (row: LetterRow): DeadLetter.DeadLetter => {
  const reason = row.reason ?? "given up by hand"
  return new DeadLetter.DeadLetter({
    // An empty id names no transaction, and a letter has to have one.
    id: row.id === "" ? "-" : row.id,
    payload: payloadOf(row.payload),
    metadata: metadataOf(row.metadata),
    reason,
    step: Option.getOrElse(decodeStep(row.step), () => "settle"),
    category: Option.getOrElse(decodeCategory(row.category), () => "system"),
    error: { tag: row.error_tag ?? "DeadLetter", message: row.error_message ?? reason },
    attempts: row.attempts ?? 0,
    deliveries: row.deliveries ?? 0,
    task: row.task ?? "",
    source: row.source,
    failedAt: row.failed_at ?? new Date(0).toISOString()
  })
}

const keyOf = ({ failed_at, id, place, source }: LetterRow): string => JSON.stringify([place, failed_at, source, id])

const asLettersError = (error: SqlError) => new ConnectorError.LettersError({ reason: reasonOf(error) })

const lettersOf = (
  { sql }: Database["Service"],
  { columns, name }: Table,
  isClosed: () => boolean
): Connector.Letters => {
  const table = quoted(name)
  const select = `SELECT _rowid_ AS place, ${columns.map((column) => column.name).join(", ")} FROM ${table}`
  const run = <A extends object>(text: string, params: ReadonlyArray<unknown>) =>
    Effect.suspend(() =>
      isClosed()
        ? Effect.fail(new ConnectorError.LettersError({ reason: closed }))
        : Effect.mapError(sql.unsafe<A>(text, params), asLettersError)
    )
  const stored = (row: LetterRow): Connector.StoredLetter => ({ key: keyOf(row), letter: letterOf(row) })
  return {
    list: ({ after, max }) =>
      Effect.map(
        run<LetterRow>(`${select} WHERE _rowid_ > ? ORDER BY _rowid_ LIMIT ?`, [
          after === undefined ? Number.MIN_SAFE_INTEGER : Number(after),
          max
        ]),
        (rows) => ({ letters: rows.map(stored), next: rows.length < max ? undefined : String(rows.at(-1)?.place) })
      ),
    find: (id) =>
      Effect.map(run<LetterRow>(`${select} WHERE id = ? ORDER BY _rowid_`, [id]), (rows) => rows.map(stored)),
    remove: (keys) =>
      Effect.asVoid(Effect.uninterruptible(run(
        `DELETE FROM ${table} WHERE _rowid_ IN (SELECT t._rowid_ FROM json_each(?) AS k CROSS JOIN ${table} AS t
          WHERE t._rowid_ = k.value ->> 0 AND t.failed_at IS k.value ->> 1 AND t.source = k.value ->> 2
            AND t.id = k.value ->> 3)`,
        [`[${keys.join(",")}]`]
      )))
  }
}

/** Whether the rows of a table have a place; those of a view and of a table WITHOUT ROWID have none. */
const hasPlaces = (sql: Client.SqlClient, name: string): Effect.Effect<boolean, SqlError> =>
  Effect.map(
    sql<{ type: string; wr: number }>`
      SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ${name} COLLATE NOCASE`,
    ([there]) => there === undefined || (there.type === "table" && there.wr === 0)
  )

/** Makes the table where it is missing, and opens it. Its letters can be read where its rows have places. */
export const openLetters = (
  database: Database["Service"],
  name: string
): Effect.Effect<Connector.SinkService, SqlError | SetupError, Scope.Scope> =>
  Effect.gen(function*() {
    const inOrder = yield* hasPlaces(database.sql, name)
    const table = letterTable(name, inOrder)
    yield* prepare(database, table)
    const sink = yield* openTable(database, table)
    if (!inOrder) return sink
    let isClosed = false
    yield* Effect.addFinalizer(() => Effect.sync(() => void (isClosed = true)))
    return { ...sink, letters: lettersOf(database, table, () => isClosed) }
  })

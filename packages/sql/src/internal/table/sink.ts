/**
 * A table as a sink: every transaction is a row, written under its id, so that writing it twice leaves one.
 */
import type { Connector, Transaction } from "@ergon/core"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Database } from "../../Database.ts"
import { SetupError } from "../../SetupError.ts"
import type { SqlError } from "../effectSql.ts"
import { kindOf } from "../queue/schema.ts"
import { openRowSink } from "../rowSink.ts"
import { type Column, sameName } from "./columns.ts"

export interface Table {
  readonly name: string
  readonly columns: ReadonlyArray<Column>
  /** The columns that say whether a row is there already. */
  readonly primaryKey: ReadonlyArray<string>
  /**
   * Whether rows keep the order of their arrival by `_rowid_`, one that is written again behind all others. A table that
   * is made new has a column for it, so that the order survives a VACUUM.
   */
  readonly inOrder: boolean
  /** The values of one row, in the order of the columns. */
  readonly row: (transaction: Transaction.Transaction<unknown>) => Row
}

type Row = ReadonlyArray<string | number | null>

// Rows of one INSERT, by its parameters: SQLite's bound is 32,766.
const mostParameters = 8000

export const quoted = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

const upsert = ({ columns, inOrder, name, primaryKey }: Table, rows: number): string => {
  const names = columns.map((column) => quoted(column.name))
  const row = `(${columns.map(() => "?").join(", ")})`
  const changed = columns.filter((column) => !primaryKey.includes(column.name)).map((column) => quoted(column.name))
  const changes = changed.map((column) => `${column} = excluded.${column}`)
  const table = quoted(name)
  // The sub-select names the row, so that it is asked again for each one.
  if (inOrder) {
    changes.push(`_rowid_ = (SELECT max(m._rowid_) + 1 FROM ${table} AS m WHERE m._rowid_ >= ${table}._rowid_)`)
  }
  const action = changes.length === 0 ? "DO NOTHING" : `DO UPDATE SET ${changes.join(", ")}`
  return `INSERT INTO ${quoted(name)} (${names.join(", ")}) VALUES ${Array.from({ length: rows }, () => row).join(", ")}
    ON CONFLICT (${primaryKey.map(quoted).join(", ")}) ${action}`
}

/** Makes the table where it is missing; of one that is there, says which columns it lacks. */
export const prepare = (
  { sql }: Database["Service"],
  table: Table
): Effect.Effect<void, SqlError | SetupError> =>
  Effect.gen(function*() {
    const { columns, inOrder, name, primaryKey } = table
    for (const [place, column] of columns.entries()) {
      const twin = columns.slice(place + 1).find((other) => sameName(other.name, column.name))
      if (twin !== undefined) {
        const problem = `two of its columns are ${quoted(column.name)} and ${quoted(twin.name)}, one name to SQLite`
        return yield* new SetupError({ table: name, problem })
      }
    }
    if ((yield* kindOf(sql, name)) !== undefined) {
      return yield* new SetupError({ table: name, problem: "it is the table of a queue; choose another name" })
    }
    const definitions = columns.map((column) => {
      const definition = `${quoted(column.name)} ${column.type}`.trim()
      return primaryKey.includes(column.name) ? `${definition} NOT NULL` : definition
    })
    const key = `(${primaryKey.map(quoted).join(", ")})`
    yield* sql.unsafe(
      `CREATE TABLE IF NOT EXISTS ${quoted(name)} (${inOrder ? "seq INTEGER PRIMARY KEY, " : ""}${
        definitions.join(", ")
      }, ${inOrder ? "UNIQUE" : "PRIMARY KEY"} ${key})`
    )
    const there = yield* sql<{ name: string; pk: number }>`SELECT name, pk FROM pragma_table_info(${name})`
    const names = there.map((column) => column.name)
    const missing = columns
      .filter((column) => !names.some((name) => sameName(name, column.name)))
      .map((column) => quoted(column.name))
    if (missing.length > 0) {
      return yield* new SetupError({
        table: name,
        problem: `it has no column ${missing.join(", ")}; it has ${names.map(quoted).join(", ")}`
      })
    }
    yield* Effect.mapError(
      sql.unsafe(`EXPLAIN ${upsert(table, 1)}`, columns.map(() => null)),
      (error) =>
        new SetupError({
          table: name,
          problem: `rows cannot be written under ${primaryKey.map(quoted).join(", ")}: ${error.reason.message ?? ""}`
        })
    )
  })

export const openTable = (
  database: Database["Service"],
  table: Table
): Effect.Effect<Connector.SinkService, never, Scope.Scope> =>
  Effect.suspend(() => {
    const most = Math.max(1, Math.floor(mostParameters / table.columns.length))
    // Made once for each number of rows, as that is what they differ in.
    const upserts: Array<string | undefined> = []
    const insert = (rows: ReadonlyArray<Row>) =>
      database.sql.unsafe(upserts[rows.length] ??= upsert(table, rows.length), rows.flat()).raw
    const id = table.columns.map(({ name }) => table.primaryKey.includes(name))
    // SQLite keeps UTF-8: half of a surrogate pair becomes another character, and two ids one.
    const isStorable = (row: Row) =>
      row.every((value, n) => !id[n] || typeof value !== "string" || value.isWellFormed())
    return openRowSink<Row>({
      database,
      rowOf: (transaction) => {
        const row = table.row(transaction)
        return isStorable(row) ? row : "an id with half of a surrogate pair cannot be stored"
      },
      write: (rows) =>
        rows.length <= most
          ? insert(rows)
          : database.sql.withTransaction(Effect.forEach(Arr.chunksOf(rows, most), insert, { discard: true }))
    })
  })

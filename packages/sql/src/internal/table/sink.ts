/**
 * A table as a sink: every transaction is a row, written under its id, so that writing it twice leaves one.
 */
import type { Connector, Transaction } from "@ergon/core"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Database } from "../../Database.ts"
import { SetupError } from "../../SetupError.ts"
import { atomically } from "../atomically.ts"
import type { SqlError } from "../effectSql.ts"
import { quoted } from "../names.ts"
import { kindOf } from "../queue/schema.ts"
import { openRowSink } from "../rowSink.ts"
import type { Column, Value } from "./columns.ts"

export interface Table {
  readonly name: string
  readonly columns: ReadonlyArray<Column>
  /** The columns that say whether a row is there already. */
  readonly primaryKey: ReadonlyArray<string>
  /**
   * Whether rows keep the order of their arrival, one that is written again behind all others. A table that is made new
   * has a column `seq` for it.
   */
  readonly inOrder: boolean
  /** The values of one row, in the order of the columns. */
  readonly row: (transaction: Transaction.Transaction<unknown>) => Row
}

type Row = ReadonlyArray<Value>

/** Makes the table where it is missing; of one that is there, says which columns it lacks. */
export const prepare = (
  { dialect, sql }: Database["Service"],
  table: Table
): Effect.Effect<void, SqlError | SetupError> =>
  Effect.gen(function*() {
    const { columns, name, primaryKey } = table
    for (const [place, column] of columns.entries()) {
      const twin = columns.slice(place + 1).find((other) => dialect.sameName(other.name, column.name))
      if (twin !== undefined) {
        const problem = `two of its columns are ${quoted(column.name)} and ${
          quoted(twin.name)
        }, one name to ${dialect.name}`
        return yield* new SetupError({ table: name, problem })
      }
    }
    if ((yield* kindOf(sql, dialect, name)) !== undefined) {
      return yield* new SetupError({ table: name, problem: "it is the table of a queue; choose another name" })
    }
    if (!(yield* dialect.catalogue.exists(sql, name))) {
      yield* dialect.catalogue.alone(sql, sql.unsafe(dialect.table.create(table)))
    }
    const names = yield* dialect.table.columns(sql, name)
    const missing = columns
      .filter((column) => !names.some((name) => dialect.sameName(name, column.name)))
      .map((column) => quoted(column.name))
    if (missing.length > 0) {
      return yield* new SetupError({
        table: name,
        problem: `it has no column ${missing.join(", ")}; it has ${names.map(quoted).join(", ")}`
      })
    }
    yield* Effect.mapError(
      dialect.table.check(sql, table),
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
    const { mostParameters, onceInStatement, problem, upsert } = database.dialect.table
    const most = Math.max(1, Math.floor(mostParameters / table.columns.length))
    // Made once for each number of rows, as that is what they differ in.
    const upserts: Array<string | undefined> = []
    const insert = (rows: ReadonlyArray<Row>) =>
      database.sql.unsafe(upserts[rows.length] ??= upsert(table, rows.length), rows.flat()).raw
    const id = table.columns.map(({ name }) => table.primaryKey.includes(name))
    return openRowSink<Row>({
      database,
      rowOf: (transaction) => {
        const row = table.row(transaction)
        for (const [n, value] of row.entries()) {
          const wrong = problem(value, id[n] === true)
          if (wrong !== undefined) return wrong
        }
        return row
      },
      write: (all) => {
        const rows = onceInStatement ? lastOf(all, id) : all
        return rows.length <= most
          ? insert(rows)
          : atomically(database.sql, Effect.forEach(Arr.chunksOf(rows, most), insert, { discard: true }))
      }
    })
  })

/** Of the rows of one id, the last one: it would have replaced the others. */
const lastOf = (rows: ReadonlyArray<Row>, id: ReadonlyArray<boolean>): ReadonlyArray<Row> => {
  const last = new Map<string, Row>()
  for (const row of rows) {
    const key = JSON.stringify(row.filter((_, n) => id[n]))
    // A row that comes again comes later.
    last.delete(key)
    last.set(key, row)
  }
  return last.size === rows.length ? rows : Array.from(last.values())
}

/**
 * SQLite's dialect.
 */
import * as Effect from "effect/Effect"
import type { CatalogueDialect, Dialect } from "../dialect.ts"
import { lower, quoted } from "../names.ts"
import type { TableDialect } from "../table/tableDialect.ts"
import { queueDialect } from "./queueTable.ts"
import { reasonOf } from "./reason.ts"

const catalogue: CatalogueDialect = {
  create: `CREATE TABLE IF NOT EXISTS ergon_tables (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL
  ) STRICT`,
  exists: (sql, table) =>
    Effect.map(sql`SELECT 1 FROM sqlite_schema WHERE name = ${table} COLLATE NOCASE`, (rows) => rows.length > 0),
  // A transaction begins with the write lock.
  alone: (sql, effect) => sql.withTransaction(effect)
}

/** Types that SQLite's affinities know; none where any value may come. */
const types = { text: "TEXT", json: "TEXT", number: "NUMERIC", boolean: "INTEGER", any: "" }

const upsert: TableDialect["upsert"] = ({ columns, inOrder, name, primaryKey }, rows) => {
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
  return `INSERT INTO ${table} (${names.join(", ")}) VALUES ${Array.from({ length: rows }, () => row).join(", ")}
    ON CONFLICT (${primaryKey.map(quoted).join(", ")}) ${action}`
}

const table: TableDialect = {
  // SQLite's bound is 32,766.
  mostParameters: 8000,
  onceInStatement: false,
  toColumn: (value) => {
    switch (typeof value) {
      case "string":
      case "number":
        return value
      case "boolean":
        return value ? 1 : 0
      default:
        return value === null || value === undefined ? null : JSON.stringify(value)
    }
  },
  problem: (value, isId) =>
    !isId || typeof value !== "string" || value.isWellFormed()
      ? undefined
      : "an id with half of a surrogate pair cannot be stored",
  create: ({ columns, inOrder, name, primaryKey }) => {
    const definitions = columns.map((column) => {
      const definition = `${quoted(column.name)} ${types[column.kind]}`.trim()
      return primaryKey.includes(column.name) ? `${definition} NOT NULL` : definition
    })
    const key = `(${primaryKey.map(quoted).join(", ")})`
    return `CREATE TABLE IF NOT EXISTS ${quoted(name)} (${inOrder ? "seq INTEGER PRIMARY KEY, " : ""}${
      definitions.join(", ")
    }, ${inOrder ? "UNIQUE" : "PRIMARY KEY"} ${key})`
  },
  columns: (sql, name) =>
    Effect.map(
      sql<{ name: string }>`SELECT name FROM pragma_table_info(${name})`,
      (columns) => columns.map((column) => column.name)
    ),
  upsert,
  check: (sql, table) => Effect.asVoid(sql.unsafe(`EXPLAIN ${upsert(table, 1)}`, table.columns.map(() => null))),
  letters: {
    // Those of a view and of a table WITHOUT ROWID have none.
    hasPlaces: (sql, name) =>
      Effect.map(
        sql<{ type: string; wr: number }>`
          SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ${name} COLLATE NOCASE`,
        ([there]) => there === undefined || (there.type === "table" && there.wr === 0)
      ),
    list: (sql, name, columns, { after, max }) =>
      sql.unsafe(
        `SELECT _rowid_ AS place, ${columns.map((column) => quoted(column.name)).join(", ")} FROM ${quoted(name)}
          WHERE _rowid_ > ? ORDER BY _rowid_ LIMIT ?`,
        [after ?? Number.MIN_SAFE_INTEGER, max]
      ),
    find: (sql, name, columns, id) =>
      sql.unsafe(
        `SELECT _rowid_ AS place, ${columns.map((column) => quoted(column.name)).join(", ")} FROM ${quoted(name)}
          WHERE id = ? ORDER BY _rowid_`,
        [id]
      ),
    remove: (sql, name, keys) =>
      Effect.asVoid(sql.unsafe(
        `DELETE FROM ${quoted(name)} WHERE _rowid_ IN (SELECT t._rowid_
          FROM json_each(?) AS k CROSS JOIN ${quoted(name)} AS t
          WHERE t._rowid_ = k.value ->> 0 AND t.failed_at IS k.value ->> 1 AND t.source = k.value ->> 2
            AND t.id = k.value ->> 3)`,
        [JSON.stringify(keys.map(({ failedAt, id, place, source }) => [place, failedAt, source, id]))]
      ))
  }
}

export const dialect: Dialect = {
  name: "SQLite",
  reasonOf,
  // It ignores the case of the 26 letters.
  sameName: (a, b) => lower(a) === lower(b),
  // It keeps UTF-8: half of a surrogate pair becomes another character, and two ids one.
  isStorable: (text) => !text.includes("\u0000") && text.isWellFormed(),
  catalogue,
  queue: queueDialect,
  table
}

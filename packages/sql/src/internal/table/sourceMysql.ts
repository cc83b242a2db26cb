/**
 * Reading behind a cursor in MariaDB and MySQL. Ids are taken before they are committed. A row that is written and not
 * committed is locked, and a read that locks meets it in its place: it is told so at once, and reads up to there.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { longestId, quoted } from "../mysql/names.ts"
import type { Found, SourceDialect } from "./sourceDialect.ts"

/** How a text becomes a value of the column's type again. */
const cast = (type: string): string | undefined => {
  if (/^(tinyint|smallint|mediumint|int|bigint|year)\b/.test(type)) {
    return type.includes("unsigned") || type.startsWith("year") ? "CAST(? AS UNSIGNED)" : "CAST(? AS SIGNED)"
  }
  if (/^decimal\b/.test(type)) return `CAST(? AS ${type.replace(/ (unsigned|zerofill).*$/, "")})`
  if (/^(datetime|timestamp)\b/.test(type)) return "CAST(? AS DATETIME(6))"
  if (/^date\b/.test(type)) return "CAST(? AS DATE)"
  if (/^(char|varchar|uuid|tinytext|text|mediumtext)\b/.test(type)) return "?"
  return undefined
}

const castOf = ({ type }: Found): string => cast(type) ?? "?"

export const mysqlSource: SourceDialect = {
  quoted,
  describe: (sql, table) =>
    Effect.gen(function*() {
      const [there] = yield* sql<{ type: string }>`SELECT table_type AS type FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name = ${table}`
      if (there === undefined) return undefined
      const columns = yield* sql<{ name: string; type: string; nullable: string }>`
        SELECT column_name AS name, column_type AS type, is_nullable AS nullable FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = ${table} ORDER BY ordinal_position`
      const keys = yield* sql<{ name: string; columnName: string }>`
        SELECT index_name AS name, column_name AS columnName FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = ${table} AND non_unique = 0 AND sub_part IS NULL`
      return {
        isView: there.type !== "BASE TABLE",
        columns: columns.map(({ name, nullable, type }) => ({ name, type, nullable: nullable === "YES" })),
        uniqueKeys: Object.values(Arr.groupBy(keys, ({ name }) => name)).map((key) => key.map((row) => row.columnName))
      }
    }),
  refuses: (type) => cast(type) === undefined ? "is no whole number, decimal, time or text" : undefined,
  exact: (column) => `CAST(${quoted(column)} AS CHAR)`,
  parameter: () => "?",
  // Neither uses an index for the comparison of rows: the first column is compared by itself too.
  compare: (columns, op, position) => {
    const strict = op === ">" ? ">" : "<"
    const [first, ...rest] = columns.map((column, index) => ({ column, value: String(position[index]) }))
    const nested = (
      { column, value }: { readonly column: Found; readonly value: string },
      others: ReadonlyArray<{ readonly column: Found; readonly value: string }>
    ): { readonly text: string; readonly params: ReadonlyArray<string> } => {
      const name = quoted(column.name)
      const [next, ...behind] = others
      if (next === undefined) return { text: `${name} ${op} ${castOf(column)}`, params: [value] }
      const { params, text } = nested(next, behind)
      return {
        text: `(${name} ${strict} ${castOf(column)} OR (${name} = ${castOf(column)} AND ${text}))`,
        params: [value, value, ...params]
      }
    }
    if (first === undefined) return { text: "TRUE", params: [] }
    const { params, text } = nested(first, rest)
    if (rest.length === 0) return { text, params }
    return {
      text: `${quoted(first.column.name)} ${strict}= ${castOf(first.column)} AND ${text}`,
      params: [first.value, ...params]
    }
  },
  writers: undefined,
  locking: {
    text: (server) => server === "MariaDB" ? " LOCK IN SHARE MODE NOWAIT" : " FOR SHARE NOWAIT",
    isBlocked: ({ reason: { _tag } }) => _tag === "LockTimeoutError"
  },
  // Between taking an id and writing the first row under it.
  settling: 250,
  cursors: {
    create: `CREATE TABLE IF NOT EXISTS ergon_cursors (
      name VARCHAR(${longestId}) NOT NULL PRIMARY KEY, place LONGTEXT, owner VARCHAR(64), until BIGINT,
      version BIGINT NOT NULL DEFAULT 0
    ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
    add: "INSERT INTO ergon_cursors (name, place) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = name",
    changes: (result) =>
      typeof result === "object" && result !== null && "affectedRows" in result ? Number(result.affectedRows) : 0
  }
}

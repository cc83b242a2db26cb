/**
 * Reading behind a cursor in PostgreSQL. Ids are taken before they are committed: who is writing to the table is seen in
 * its locks, which a transaction has before it takes an id and until its rows are visible.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { quoted } from "../names.ts"
import type { SourceDialect } from "./sourceDialect.ts"

const refused = /^(json|xml|point|line|lseg|box|path|polygon|circle|real|double precision)$/

export const postgresSource: SourceDialect = {
  quoted,
  describe: (sql, table) =>
    Effect.gen(function*() {
      const [there] = yield* sql<{ kind: string }>`
        SELECT relkind::text AS kind FROM pg_class WHERE oid = to_regclass(${quoted(table)})`
      if (there === undefined) return undefined
      const columns = yield* sql<{ name: string; type: string; nullable: boolean }>`
        SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable
        FROM pg_attribute WHERE attrelid = to_regclass(${
        quoted(table)
      }) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`
      const keys = yield* sql<{ name: string; columnName: string }>`
        SELECT i.indexrelid::text AS name, a.attname::text AS "columnName"
        FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey::smallint[])
        WHERE i.indrelid = to_regclass(${quoted(table)}) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
          AND i.indexprs IS NULL AND i.indnkeyatts = i.indnatts`
      return {
        isView: there.kind === "v" || there.kind === "m" || there.kind === "f",
        columns,
        uniqueKeys: Object.values(Arr.groupBy(keys, ({ name }) => name)).map((key) => key.map((row) => row.columnName))
      }
    }),
  refuses: (type) => refused.test(type) ? "has no exact order as text" : undefined,
  exact: (column) => `${quoted(column)}::text`,
  parameter: (n) => `$${n}`,
  compare: (columns, op, position, n) => ({
    text: `(${columns.map(({ name }) => quoted(name)).join(", ")}) ${op} (${
      columns.map(({ type }, index) => `CAST($${n + index}::text AS ${type})`).join(", ")
    })`,
    params: position.map(String)
  }),
  writers: (sql, table) =>
    Effect.map(
      sql<{ id: string }>`SELECT DISTINCT virtualtransaction AS id FROM pg_locks
        WHERE locktype = 'relation' AND granted
          AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND (relation = to_regclass(${quoted(table)})
            OR relation IN (SELECT relid FROM pg_partition_tree(to_regclass(${quoted(table)}))))`,
      (rows) => rows.map(({ id }) => id)
    ),
  locking: undefined,
  settling: 0,
  cursors: {
    create: `CREATE TABLE IF NOT EXISTS ergon_cursors (
      name TEXT PRIMARY KEY, place TEXT, owner TEXT, until BIGINT, version BIGINT NOT NULL DEFAULT 0
    )`,
    add: "INSERT INTO ergon_cursors (name, place) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
    changes: (result) =>
      typeof result === "object" && result !== null && "rowCount" in result ? Number(result.rowCount) : 0
  }
}

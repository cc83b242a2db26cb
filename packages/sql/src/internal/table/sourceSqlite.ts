/**
 * Reading behind a cursor in SQLite. One writes at a time, with ids that rise in the order of the commits.
 */
import * as Effect from "effect/Effect"
import { quoted } from "../names.ts"
import type { SourceDialect } from "./sourceDialect.ts"

const count = (result: unknown, name: string): number =>
  typeof result === "object" && result !== null && name in result ? Number(Reflect.get(result, name)) : 0

export const sqliteSource: SourceDialect = {
  quoted,
  describe: (sql, table) =>
    Effect.gen(function*() {
      const [there] = yield* sql<{ type: string; name: string }>`
        SELECT type, name FROM pragma_table_list WHERE schema = 'main' AND name = ${table} COLLATE NOCASE`
      if (there === undefined) return undefined
      const columns = yield* sql<{ name: string; type: string; notnull: number; pk: number }>`
        SELECT name, type, "notnull", pk FROM pragma_table_info(${there.name})`
      const key = columns.filter(({ pk }) => pk > 0)
      const indices = yield* sql<{ name: string; columnName: string | null }>`
        SELECT l.name AS name, i.name AS columnName FROM pragma_index_list(${there.name}) AS l, pragma_index_info(l.name) AS i
        WHERE l."unique" = 1 AND l.partial = 0`
      const uniqueKeys = new Map<string, Array<string>>()
      for (const { columnName, name } of indices) {
        uniqueKeys.set(name, [...uniqueKeys.get(name) ?? [], columnName ?? ""])
      }
      return {
        isView: there.type === "view",
        columns: columns.map(({ name, notnull, pk, type }) => ({
          name,
          type,
          // The row number under another name is never null.
          nullable: notnull === 0 && !(pk === 1 && key.length === 1 && /^integer$/i.test(type))
        })),
        uniqueKeys: [...uniqueKeys.values(), ...(key.length > 0 ? [key.map(({ name }) => name)] : [])]
      }
    }),
  refuses: () => undefined,
  exact: quoted,
  parameter: () => "?",
  compare: (columns, op, position) => ({
    text: `(${columns.map(({ name }) => quoted(name)).join(", ")}) ${op} (${position.map(() => "?").join(", ")})`,
    params: position
  }),
  writers: undefined,
  locking: undefined,
  settling: 0,
  cursors: {
    create: `CREATE TABLE IF NOT EXISTS ergon_cursors (
      name TEXT PRIMARY KEY, place TEXT, owner TEXT, until INTEGER, version INTEGER NOT NULL DEFAULT 0
    ) STRICT`,
    add: "INSERT INTO ergon_cursors (name, place) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
    changes: (result) => count(result, "changes")
  }
}

/**
 * The tables of this package and their versions: made where they are missing, brought up to date where they are older,
 * left alone where something else made them. Several processes may start at once: each looks under the write lock.
 */
import * as Effect from "effect/Effect"
import { SetupError } from "../../SetupError.ts"
import type { Client, SqlError } from "../effectSql.ts"

/** The kind of a table of this package; `undefined` for any other. */
export const kindOf = (sql: Client.SqlClient, table: string): Effect.Effect<string | undefined, SqlError> =>
  Effect.gen(function*() {
    const tables = yield* sql`SELECT 1 FROM sqlite_schema WHERE name = 'ergon_tables'`
    if (tables.length === 0) return undefined
    const [known] = yield* sql<{ kind: string }>`SELECT kind FROM ergon_tables WHERE name = ${table} COLLATE NOCASE`
    return known?.kind
  })

export interface Schema {
  readonly table: string
  readonly kind: "queue"
  /** What makes version n + 1 out of version n; version 0 is no table. */
  readonly versions: ReadonlyArray<ReadonlyArray<string>>
}

export const migrate = (
  sql: Client.SqlClient,
  { kind, table, versions }: Schema
): Effect.Effect<void, SqlError | SetupError> =>
  sql.withTransaction(Effect.gen(function*() {
    yield* sql`CREATE TABLE IF NOT EXISTS ergon_tables (
      name TEXT PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL
    ) STRICT`
    const [known] = yield* sql<{ kind: string; version: number }>`
      SELECT kind, version FROM ergon_tables WHERE name = ${table}`
    const refuse = (problem: string) => Effect.fail(new SetupError({ table, problem }))
    if (known !== undefined && known.kind !== kind) {
      return yield* refuse(`it is a table of kind ${known.kind}, not ${kind}; choose another name`)
    }
    const there = yield* sql`SELECT 1 FROM sqlite_schema WHERE name = ${table} COLLATE NOCASE`
    if (known === undefined && there.length > 0) {
      return yield* refuse("there is a table of that name already; choose another name")
    }
    // Who has dropped the table wants a new one.
    const version = there.length === 0 ? 0 : known?.version ?? 0
    if (version > versions.length) {
      return yield* refuse(
        `it has version ${version}, and this release of @ergon/sql knows versions up to ${versions.length}; upgrade`
      )
    }
    for (const statement of versions.slice(version).flat()) yield* sql.unsafe(statement)
    yield* sql`INSERT INTO ergon_tables (name, kind, version) VALUES (${table}, ${kind}, ${versions.length})
      ON CONFLICT (name) DO UPDATE SET version = excluded.version`
  }))

/**
 * The tables of this package and their versions: made where they are missing, brought up to date where they are older,
 * left alone where something else made them. Several processes may start at once: each looks when it is alone.
 */
import * as Effect from "effect/Effect"
import { SetupError } from "../../SetupError.ts"
import type { Dialect } from "../dialect.ts"
import type { Client, SqlError } from "../effectSql.ts"

interface Known {
  readonly kind: string
  readonly version: number
}

const knownAs = (
  sql: Client.SqlClient,
  { sameName }: Dialect,
  table: string
): Effect.Effect<Known | undefined, SqlError> =>
  Effect.map(
    sql<Known & { readonly name: string }>`SELECT name, kind, version FROM ergon_tables`,
    (known) => known.find(({ name }) => sameName(name, table))
  )

/** The kind of a table of this package; `undefined` for any other. */
export const kindOf = (
  sql: Client.SqlClient,
  dialect: Dialect,
  table: string
): Effect.Effect<string | undefined, SqlError> =>
  Effect.flatMap(
    dialect.catalogue.exists(sql, "ergon_tables"),
    (there) => there ? Effect.map(knownAs(sql, dialect, table), (known) => known?.kind) : Effect.undefined
  )

export interface Schema {
  readonly table: string
  readonly kind: "queue"
  /** What makes version n + 1 out of version n; version 0 is no table. */
  readonly versions: ReadonlyArray<ReadonlyArray<string>>
}

/** Where everything is as it should be, nothing is locked, and nothing but reading has to be allowed. */
export const migrate = (
  sql: Client.SqlClient,
  dialect: Dialect,
  schema: Schema
): Effect.Effect<void, SqlError | SetupError> =>
  Effect.gen(function*() {
    if (yield* dialect.catalogue.exists(sql, "ergon_tables")) {
      const known = yield* knownAs(sql, dialect, schema.table)
      const isCurrent = known?.kind === schema.kind && known.version === schema.versions.length
      if (isCurrent && (yield* dialect.catalogue.exists(sql, schema.table))) return
    }
    yield* bringUp(sql, dialect, schema)
  })

const bringUp = (
  sql: Client.SqlClient,
  dialect: Dialect,
  { kind, table, versions }: Schema
): Effect.Effect<void, SqlError | SetupError> =>
  dialect.catalogue.alone(
    sql,
    Effect.gen(function*() {
      if (!(yield* dialect.catalogue.exists(sql, "ergon_tables"))) yield* sql.unsafe(dialect.catalogue.create)
      const known = yield* knownAs(sql, dialect, table)
      const refuse = (problem: string) => Effect.fail(new SetupError({ table, problem }))
      if (known !== undefined && known.kind !== kind) {
        return yield* refuse(`it is a table of kind ${known.kind}, not ${kind}; choose another name`)
      }
      const there = yield* dialect.catalogue.exists(sql, table)
      if (known === undefined && there) {
        return yield* refuse("there is a table of that name already; choose another name")
      }
      // Who has dropped the table wants a new one.
      const version = there ? known?.version ?? 0 : 0
      if (version > versions.length) {
        return yield* refuse(
          `it has version ${version}, and this release of @ergon/sql knows versions up to ${versions.length}; upgrade`
        )
      }
      for (const statement of versions.slice(version).flat()) yield* sql.unsafe(statement)
      if (known === undefined) {
        yield* sql`INSERT INTO ergon_tables (name, kind, version) VALUES (${table}, ${kind}, ${versions.length})`
      } else if (version !== versions.length) {
        yield* sql`UPDATE ergon_tables SET version = ${versions.length} WHERE name = ${table}`
      }
    })
  )

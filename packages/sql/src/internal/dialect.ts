/**
 * What differs from database to database: everything that this package says in SQL, and the reasons of errors.
 */
import type { Reason } from "@ergon/core"
import type { Effect } from "effect/Effect"
import type { Client, SqlError } from "./effectSql.ts"
import type { QueueDialect } from "./queue/queueTable.ts"
import type { TableDialect } from "./table/tableDialect.ts"

export interface Dialect {
  /** As it is called in texts. */
  readonly name: "SQLite" | "PostgreSQL" | "MySQL" | "MariaDB"
  /** Why a statement failed, in the reasons that the engine knows. */
  readonly reasonOf: (error: SqlError) => Reason.Reason
  /** Whether two names of tables or columns are one to the database. */
  readonly sameName: (a: string, b: string) => boolean
  /** Whether the database gives a text back as it was; others would be cut, made equal or refused. */
  readonly isStorable: (text: string) => boolean
  /** How many characters an id or a key has at most, where an index has to hold it. */
  readonly longestId?: number
  readonly catalogue: CatalogueDialect
  readonly queue: QueueDialect
  readonly table: TableDialect
}

/** The table `ergon_tables`, which says what the tables of this package are. */
export interface CatalogueDialect {
  /** Makes it where it is missing. */
  readonly create: string
  /** Whether there is a table or view of that name. */
  readonly exists: (sql: Client.SqlClient, table: string) => Effect<boolean, SqlError>
  /** Runs what changes tables: one process at a time, and in one transaction where the database can. */
  readonly alone: <A, E>(sql: Client.SqlClient, effect: Effect<A, E>) => Effect<A, E | SqlError>
}

/**
 * What a dialect of SQL says about tables that are written row by row, and about the letters in them.
 */
import type { Effect } from "effect/Effect"
import type { Client, SqlError } from "../effectSql.ts"
import type { Column, Kind, Value } from "./columns.ts"
import type { Table } from "./sink.ts"

export interface TableDialect {
  /** Parameters of one INSERT. */
  readonly mostParameters: number
  /** Whether one INSERT may name a row only once. */
  readonly onceInStatement: boolean
  /** A value of the payload as a column of this kind holds it. */
  readonly toColumn: (value: unknown, kind: Kind) => Value
  /** What is wrong with a value of a row. */
  readonly problem: (value: Value, isId: boolean) => string | undefined
  /** Makes the table where it is missing. */
  readonly create: (table: Table) => string
  /** The names of the columns that a table has. */
  readonly columns: (sql: Client.SqlClient, name: string) => Effect<ReadonlyArray<string>, SqlError>
  /** Writes rows, each as often as it comes as one. */
  readonly upsert: (table: Table, rows: number) => string
  /** Fails where rows cannot be written under the primary key. Writes nothing. */
  readonly check: (sql: Client.SqlClient, table: Table) => Effect<void, SqlError>
  readonly letters: LettersDialect
}

/** A row with its place in the order of arrival. */
export interface Placed {
  readonly place: number
}

/** Which letter: its place, and what stands there. */
export interface LetterKey {
  readonly place: number
  readonly failedAt: string | null
  readonly source: string
  readonly id: string
}

export interface LettersDialect {
  /** Whether the rows of a table that is there, or will be made, have places. */
  readonly hasPlaces: (sql: Client.SqlClient, name: string) => Effect<boolean, SqlError>
  /** At most `max` rows behind a place, in their order. */
  readonly list: <A extends object>(
    sql: Client.SqlClient,
    name: string,
    columns: ReadonlyArray<Column>,
    page: { readonly after: number | undefined; readonly max: number }
  ) => Effect<ReadonlyArray<A & Placed>, SqlError>
  readonly find: <A extends object>(
    sql: Client.SqlClient,
    name: string,
    columns: ReadonlyArray<Column>,
    id: string
  ) => Effect<ReadonlyArray<A & Placed>, SqlError>
  readonly remove: (sql: Client.SqlClient, name: string, keys: ReadonlyArray<LetterKey>) => Effect<void, SqlError>
}

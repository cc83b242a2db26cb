/**
 * What a dialect of SQL says about reading a table behind a cursor.
 */
import type { Effect } from "effect/Effect"
import type { Client, SqlError } from "../effectSql.ts"

/** A column that is there. */
export interface Found {
  readonly name: string
  /** As the database calls its type. */
  readonly type: string
  readonly nullable: boolean
}

export interface Description {
  readonly columns: ReadonlyArray<Found>
  /** A view has no keys, and nobody writes to it. */
  readonly isView: boolean
  /** The columns of every key that allows a value once. */
  readonly uniqueKeys: ReadonlyArray<ReadonlyArray<string>>
}

/** A place in the order of the cursor: the value of each of its columns, as text where that is exact. */
export type Position = ReadonlyArray<string | number>

/** A condition or a statement with what it binds. */
export interface Bound {
  readonly text: string
  readonly params: ReadonlyArray<unknown>
}

export interface SourceDialect {
  readonly quoted: (name: string) => string
  /** What a table is like; `undefined` where there is none. */
  readonly describe: (sql: Client.SqlClient, table: string) => Effect<Description | undefined, SqlError>
  /** Why a column of this type cannot be one of the cursor's. */
  readonly refuses: (type: string) => string | undefined
  /** The value of a column in a form that `compare` takes back exactly. */
  readonly exact: (column: string) => string
  /** The n-th parameter of a statement, the first one is 1. */
  readonly parameter: (n: number) => string
  /** Rows behind a position, or up to it; its first parameter is the n-th of the statement. */
  readonly compare: (columns: ReadonlyArray<Found>, op: ">" | "<=", position: Position, n: number) => Bound
  /**
   * The transactions that are writing to the table now, so that they may hold rows that nobody else sees yet; by a name
   * that no other one will have. `undefined` where one writes at a time, and where `locking` tells.
   */
  readonly writers:
    | ((sql: Client.SqlClient, table: string) => Effect<ReadonlyArray<string>, SqlError>)
    | undefined
  /**
   * How rows are read where they tell themselves that somebody has written and not committed: what is put behind the
   * statement, and whether it has failed for that. Nothing waits.
   */
  readonly locking: {
    readonly text: (server: string) => string
    readonly isBlocked: (error: SqlError) => boolean
  } | undefined
  /** How long a row is there before rows up to it are read, unless the options say; milliseconds. */
  readonly settling: number
  readonly cursors: {
    readonly create: string
    /** Makes the cursor of a name, at a place, where it is missing. */
    readonly add: string
    /** How many rows a statement has changed. */
    readonly changes: (result: unknown) => number
  }
}

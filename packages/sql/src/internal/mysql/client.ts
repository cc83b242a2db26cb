/**
 * Effect's SQL client on a pool of our connections.
 */
import * as Effect from "effect/Effect"
import { Client, defaultEscape, makeCompiler, type Reactivity } from "../effectSql.ts"
import { MysqlConnection } from "./connection.ts"
import type { Lending, PoolOptions } from "./pool.ts"
import { connectionError } from "./sqlError.ts"

const escape = defaultEscape("`")

const compiler = () =>
  makeCompiler({
    dialect: "mysql",
    placeholder: () => "?",
    onIdentifier: escape,
    // Rows as a table of their own, which both servers can join: the first SELECT names the columns.
    onRecordUpdate: (_placeholders, alias, _columns, values) => [
      `(${values.map((row) => `SELECT ${row.map(() => "?").join(", ")}`).join(" UNION ALL ")}) AS ${alias}`,
      values.flat()
    ],
    onCustom: () => ["", []]
  })

export const makeClient = (
  { acquirer, borrower }: Lending,
  { database, host, port }: PoolOptions
): Effect.Effect<Client.SqlClient, never, Reactivity.Reactivity> =>
  Client.make({
    acquirer,
    borrower,
    transactionAcquirer: acquirer,
    compiler: compiler(),
    driver: "mysql2",
    beginTransaction: "START TRANSACTION",
    commit: (connection) =>
      connection instanceof MysqlConnection
        ? connection.commit
        : Effect.fail(connectionError("not a connection of this client", "commit")),
    isTransaction: (connection) => connection instanceof MysqlConnection && connection.isTransaction,
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    spanAttributes: [
      ["db.system.name", "mysql"],
      ["db.namespace", database],
      ["server.address", host],
      ["server.port", port]
    ]
  })

/**
 * The dialect of MariaDB and MySQL.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { CatalogueDialect, Dialect } from "../dialect.ts"
import type { Client, SqlError } from "../effectSql.ts"
import { lower } from "../names.ts"
import type { TableDialect } from "../table/tableDialect.ts"
import { type Flavor, longestId, quoted } from "./names.ts"
import { madeByUs } from "./queueStatements.ts"
import { queueDialect } from "./queueTable.ts"
import { reasonOf } from "./reason.ts"
import { connectionError } from "./sqlError.ts"

// How long to wait for another process that makes tables, in seconds.
const patience = 30

/** A table of ours that is not in the catalogue was not finished: it is made again. */
const exists: CatalogueDialect["exists"] = (sql, table) =>
  Effect.gen(function*() {
    const [there] = yield* sql<{ comment: string | null }>`SELECT table_comment AS comment
      FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ${table}`
    if (there === undefined) return false
    if (there.comment !== madeByUs) return true
    return (yield* sql`SELECT 1 FROM ergon_tables WHERE name = ${table}`).length > 0
  })

/** What defines tables commits by itself: a lock of the server, by the name of the database, takes the turns. */
const alone = <A, E>(sql: Client.SqlClient, effect: Effect.Effect<A, E>): Effect.Effect<A, E | SqlError> =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* sql.reserve
    const name = "CONCAT('ergon_', MD5(DATABASE()))"
    yield* Effect.acquireRelease(
      Effect.flatMap(
        connection.executeValues(`SELECT GET_LOCK(${name}, ?)`, [patience]),
        ([row]) =>
          Number(row?.[0]) === 1 ? Effect.void : Effect.fail(
            connectionError(`another process has been making tables for more than ${patience} s`, "migrate")
          )
      ),
      () => Effect.ignore(connection.execute(`DO RELEASE_LOCK(${name})`, [], undefined))
    )
    return yield* effect
  }))

const tableOf = ({ collation }: Flavor): TableDialect => {
  const types = {
    text: `LONGTEXT CHARACTER SET utf8mb4 COLLATE ${collation}`,
    json: `LONGTEXT CHARACTER SET utf8mb4 COLLATE ${collation}`,
    number: "DOUBLE",
    boolean: "BOOLEAN",
    any: `LONGTEXT CHARACTER SET utf8mb4 COLLATE ${collation}`
  }
  const id = `VARCHAR(${longestId}) CHARACTER SET utf8mb4 COLLATE ${collation} NOT NULL`
  const upsert: TableDialect["upsert"] = ({ columns, inOrder, name, primaryKey }, rows) => {
    const names = columns.map((column) => quoted(column.name))
    const row = `(${columns.map(() => "?").join(", ")})`
    const into = `INTO ${quoted(name)} (${names.join(", ")})
      VALUES ${Array.from({ length: rows }, () => row).join(", ")}`
    // Which takes away the row that was there, and with it its place.
    if (inOrder) return `REPLACE ${into}`
    const changed = columns.filter((column) => !primaryKey.includes(column.name))
    const changes = (changed.length === 0 ? columns.slice(0, 1) : changed).map(({ name }) =>
      `${quoted(name)} = VALUES(${quoted(name)})`
    )
    return `INSERT ${into} ON DUPLICATE KEY UPDATE ${changes.join(", ")}`
  }
  return {
    // The protocol's bound is 65,535.
    mostParameters: 4000,
    onceInStatement: false,
    toColumn: (value, kind) => {
      switch (typeof value) {
        case "string":
          return kind === "any" ? JSON.stringify(value) : value
        case "number":
        case "boolean":
          return kind === "any" || kind === "text" ? JSON.stringify(value) : value
        default:
          return value === null || value === undefined ? null : JSON.stringify(value)
      }
    },
    problem: (value, isId) =>
      typeof value !== "string"
        ? undefined
        : !isId
        ? undefined
        : !value.isWellFormed()
        ? "an id with half of a surrogate pair cannot be stored"
        : value.length > longestId
        ? `an id has at most ${longestId} characters`
        : undefined,
    create: ({ columns, inOrder, name, primaryKey }) => {
      const definitions = columns.map((column) =>
        `${quoted(column.name)} ${
          primaryKey.includes(column.name) ? column.kind === "number" ? "DOUBLE NOT NULL" : id : types[column.kind]
        }`
      )
      const key = `(${primaryKey.map((column) => quoted(column)).join(", ")})`
      return `CREATE TABLE IF NOT EXISTS ${quoted(name)} (
        ${inOrder ? "seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, " : ""}${definitions.join(", ")},
        ${inOrder ? "UNIQUE KEY one" : "PRIMARY KEY"} ${key}
      ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE ${collation}`
    },
    columns: (sql, name) =>
      Effect.map(
        sql<{ name: string }>`SELECT column_name AS name FROM information_schema.columns
          WHERE table_schema = DATABASE() AND table_name = ${name} ORDER BY ordinal_position`,
        (columns) => columns.map((column) => column.name)
      ),
    upsert,
    check: (sql, table) =>
      Effect.flatMap(uniqueKeys(sql, table.name), (keys) => {
        const wanted = table.primaryKey.map(lower).toSorted().join("\n")
        return keys.some((columns) => columns.map(lower).toSorted().join("\n") === wanted)
          ? Effect.void
          : Effect.fail(connectionError("there is no primary key or unique index of these columns", "check"))
      }),
    letters: {
      hasPlaces: (sql, name) =>
        Effect.map(
          sql<{ name: string; extra: string }>`SELECT column_name AS name, extra FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = ${name}`,
          (columns) =>
            columns.length === 0 ||
            columns.some(({ extra, name }) => name === "seq" && extra.toLowerCase().includes("auto_increment"))
        ),
      list: (sql, name, columns, { after, max }) =>
        sql.unsafe(
          `SELECT seq AS place, ${columns.map((column) => quoted(column.name)).join(", ")} FROM ${quoted(name)}
            WHERE seq > ? ORDER BY seq LIMIT ?`,
          [after ?? 0, max]
        ),
      find: (sql, name, columns, id) =>
        sql.unsafe(
          `SELECT seq AS place, ${columns.map((column) => quoted(column.name)).join(", ")} FROM ${quoted(name)}
            WHERE id = ? ORDER BY seq`,
          [id]
        ),
      remove: (sql, name, keys) =>
        Effect.forEach(Arr.chunksOf(keys, 100), (some) =>
          sql.unsafe(
            `DELETE FROM ${quoted(name)} WHERE ${
              some.map(() => "(seq = ? AND failed_at <=> ? AND source = ? AND id = ?)").join(" OR ")
            }`,
            some.flatMap(({ failedAt, id, place, source }) => [place, failedAt, source, id])
          ), { discard: true })
    }
  }
}

/** The columns of every key that allows a value once. */
const uniqueKeys = (
  sql: Client.SqlClient,
  table: string
): Effect.Effect<ReadonlyArray<ReadonlyArray<string>>, SqlError> =>
  Effect.map(
    sql<{ name: string; columnName: string }>`SELECT index_name AS name, column_name AS columnName
      FROM information_schema.statistics
      WHERE table_schema = DATABASE() AND table_name = ${table} AND non_unique = 0 AND sub_part IS NULL`,
    (rows) => Object.values(Arr.groupBy(rows, ({ name }) => name)).map((key) => key.map((row) => row.columnName))
  )

export const dialectOf = (flavor: Flavor): Dialect => ({
  name: flavor.name,
  reasonOf,
  // Columns are one with any case of letters; tables are on some systems.
  sameName: (a, b) => lower(a) === lower(b),
  isStorable: (text) => text.isWellFormed(),
  longestId,
  catalogue: {
    create: `CREATE TABLE IF NOT EXISTS ergon_tables (
      name VARCHAR(64) NOT NULL PRIMARY KEY, kind VARCHAR(64) NOT NULL, version INT NOT NULL
    ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE ${flavor.collation}`,
    exists,
    alone
  },
  queue: queueDialect(flavor),
  table: tableOf(flavor)
})

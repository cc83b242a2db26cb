/** The databases that a test goes through, each with tables of its own and any number of connections. */
import { Services } from "@ergon/lab"
import { Context, Effect, Layer, type Scope } from "effect"
import { Database, Mysql, Postgres, Sqlite } from "../index.ts"
import * as mariadb from "./mariadb.ts"
import * as postgres from "./postgres.ts"
import { filename } from "./queues.ts"

export interface Place {
  readonly name: "SQLite" | "PostgreSQL" | "MariaDB"
  readonly needs: ReadonlyArray<Services.Service>
  /** A fresh database; every build of its layer connects anew. */
  readonly make: Effect.Effect<Layer.Layer<Database.Database, unknown>, never, Scope.Scope>
  readonly begin: string
  /** The definition of a column of rising numbers, and of a time that is taken when a row is written. */
  readonly identity: string
  readonly time: string
}

export const places: ReadonlyArray<Place> = [
  {
    name: "SQLite",
    needs: [],
    make: Effect.map(filename, (filename) => Sqlite.layer({ filename, synchronous: "normal", busy: "20 seconds" })),
    begin: "BEGIN IMMEDIATE",
    identity: "INTEGER PRIMARY KEY AUTOINCREMENT",
    time: "TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f'))"
  },
  {
    name: "PostgreSQL",
    needs: [Services.postgres],
    make: Effect.map(postgres.schemaOf(), (schema) => Postgres.layer({ ...postgres.server, schema, connections: 8 })),
    begin: "BEGIN",
    identity: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    time: "TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()"
  },
  {
    name: "MariaDB",
    needs: [Services.mariadb],
    make: Effect.map(mariadb.databaseOf, (database) => Mysql.layer({ ...mariadb.server, database, connections: 8 })),
    begin: "START TRANSACTION",
    identity: "BIGINT AUTO_INCREMENT PRIMARY KEY",
    time: "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
  }
]

/** A connection of its own. */
export const connect = <E>(layer: Layer.Layer<Database.Database, E>) =>
  Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, Database.Database))

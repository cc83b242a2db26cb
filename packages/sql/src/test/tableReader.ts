/** A process that reads a table until it is killed: `tableReader.ts <SQLite | PostgreSQL> <file or schema>`. */
import { Connector, Task } from "@ergon/core"
import { say } from "@ergon/lab/Program"
import { Effect, Layer, Schema } from "effect"
import { Postgres, Sqlite, Table } from "../index.ts"
import { server } from "./postgres.ts"

class Entries extends Connector.Source<Entries>()("entries", Schema.Struct({ n: Schema.Int })) {}

const [kind = "", where = ""] = process.argv.slice(2)
const database = kind === "SQLite" ? Sqlite.layer({ filename: where }) : Postgres.layer({ ...server, schema: where })

const read = Task.consumer(
  "read",
  Entries,
  ({ payload: { n } }) => say(`${n}`)
).pipe(
  Task.discardFailures,
  Task.policy({ loop: { concurrency: 8, streaming: true } })
)

await Effect.runPromise(
  Effect.provide(
    Task.run(read),
    Table.source(Entries, { poll: "20 millis", lease: "1 second" }).pipe(Layer.provide(database))
  )
)

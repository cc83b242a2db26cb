/**
 * A process that places orders and the word of them until it is killed, every third one in vain:
 * `outboxWriter.ts <database> <file or schema>`.
 */
import { Connector, Transaction } from "@ergon/core"
import { say } from "@ergon/lab/Program"
import { Effect, Layer, Schema } from "effect"
import { Database, Outbox, Postgres, Sqlite } from "../index.ts"
import { server } from "./postgres.ts"

class Events extends Connector.Sink<Events>()("events", Schema.Struct({ n: Schema.Int })) {}

const [kind = "", where = ""] = process.argv.slice(2)
const database = kind === "SQLite"
  ? Sqlite.layer({ filename: where })
  : Postgres.layer({ ...server, schema: where })

const program = Effect.gen(function*() {
  const { sql } = yield* Database.Database
  for (let n = 0;; n++) {
    yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
      yield* Outbox.put(Events, Transaction.make(`${n}`, { n }))
      yield* sql`INSERT INTO box_orders (n) VALUES (${n})`
      if (n % 3 === 2) return yield* Effect.fail("in vain")
      return yield* Effect.void
    })))
    if (n % 10 === 0) yield* say(`placed ${n}`)
  }
})

await Effect.runPromise(
  program.pipe(Effect.provide(Outbox.sink(Events, { table: "box" }).pipe(Layer.provideMerge(database))))
)

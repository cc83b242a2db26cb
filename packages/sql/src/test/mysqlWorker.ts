/**
 * A process that the tests on MariaDB start: `mysqlWorker.ts <role> <port> <table>`.
 */
import { Connector, Task, Transaction } from "@ergon/core"
import { say } from "@ergon/lab/Program"
import { Effect, Layer, Schema } from "effect"
import { Database, Mysql, Outbox, Sql } from "../index.ts"

const Item = Schema.Struct({ n: Schema.Int })
class Items extends Connector.Queue<Items>()("items", Item) {}
class Events extends Connector.Sink<Events>()("events", Item) {}

const [role = "", port = "", table = ""] = process.argv.slice(2)
const database = Mysql.layer({ host: "127.0.0.1", port: Number(port), username: "root", database: "test" })

const roles: Record<string, Effect.Effect<unknown, unknown>> = {
  /** Works on a queue until it is killed. */
  consumer: Task.run(
    Task.consumer("work", Items, ({ id }) => say(`handled ${id}`)).pipe(
      Task.policy({ loop: { concurrency: 16, streaming: true } })
    )
  ).pipe(Effect.provide(Sql.queue(Items, { table, lease: "2 seconds" }).pipe(Layer.provide(database)))),

  /** Places orders and the word of them until it is killed; every third one is taken back. */
  writer: Effect.gen(function*() {
    const { sql } = yield* Database.Database
    for (let n = 0;; n++) {
      yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
        yield* Outbox.put(Events, Transaction.make(`${n}`, { n }))
        yield* sql`INSERT INTO ${sql(`${table}_orders`)} (n) VALUES (${n})`
        if (n % 3 === 2) return yield* Effect.fail("taken back")
        return yield* Effect.void
      })))
      if (n % 10 === 0) yield* say(`placed ${n}`)
    }
  }).pipe(Effect.provide(Outbox.sink(Events, { table }).pipe(Layer.provideMerge(database))))
}

await Effect.runPromise(roles[role] ?? Effect.die(`no role ${role}`))

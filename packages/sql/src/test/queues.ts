/** What the tests of this package open: queues, tables and databases of their own. */
import { Connector, type Delivery, type Disposition, Disposition as Dispositions, Transaction } from "@ergon/core"
import { Context, Duration, Effect, Exit, Layer, Schema, Scope } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Database, Sql, Sqlite } from "../index.ts"

export class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}

/** A folder that ends with the scope. */
export const directory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "ergon-sql-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
)

export const filename = Effect.map(directory, (directory) => path.join(directory, "queue.db"))

/** Nothing here is about power cuts. */
export const database = (filename: string) => Sqlite.layer({ filename, synchronous: "normal" })

/** One process's view of a queue: a connection of its own. */
export const openOn = <E>(database: Layer.Layer<Database.Database, E>, options: Sql.QueueOptions = {}) =>
  Effect.map(
    Layer.build(Layer.fresh(Sql.queue(Items, options).pipe(Layer.provideMerge(database)))),
    (context) => {
      const { sink, source } = Context.get(context, Items)
      const { sql } = Context.get(context, Database.Database)
      const fetch = (max: number) =>
        source.fetch({ max, wait: Duration.zero }).pipe(Effect.catchTag("Done", () => Effect.succeed([])))
      return {
        context,
        source,
        sink,
        sql,
        count: source.count!,
        fetch,
        /** The ids of at most `max` deliveries, which stay held. */
        ids: (max: number) => Effect.map(fetch(max), (deliveries) => deliveries.map(idOf)),
        one: Effect.flatMap(fetch(1), ([delivery]) =>
          delivery === undefined ? Effect.die("nothing") : Effect.succeed(delivery)),
        send: (...transactions: ReadonlyArray<Transaction.Transaction<unknown>>) =>
          sink.dispatch(transactions),
        settle: (delivery: Delivery.Delivery, disposition: Disposition.Disposition) =>
          source.settle([Dispositions.settlement(delivery, disposition)])
      }
    }
  )
export type Opened = Effect.Success<ReturnType<typeof openOn>>

/** The same, with a scope that the test may close before its own ends. */
export const openClosableOn = <E>(database: Layer.Layer<Database.Database, E>, options: Sql.QueueOptions = {}) =>
  Effect.gen(function*() {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    return { ...(yield* Scope.provide(openOn(database, options), scope)), scope }
  })

export const open = (file: string, options: Sql.QueueOptions = {}) => openOn(database(file), options)

export const openClosable = (file: string, options: Sql.QueueOptions = {}) => openClosableOn(database(file), options)

export const inMemory = (options: Sql.QueueOptions = {}) => open(":memory:", options)

export const idOf = ({ transaction: { id } }: Delivery.Delivery): string => id

/** A transaction with an id alone. */
export const item = (id: string): Transaction.Transaction<unknown> => Transaction.make(id, { id })

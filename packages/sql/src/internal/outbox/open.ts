/**
 * An outbox: the table of a queue, of which the program that writes to the database opens one side and the relay the
 * other.
 */
import { type Connector, ConnectorError, Reason } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Database } from "../../Database.ts"
import type { SetupError } from "../../SetupError.ts"
import type { SqlError } from "../effectSql.ts"
import { openStore, type QueueSettings } from "../queue/open.ts"
import { openSink, type SinkOptions } from "../queue/sink.ts"
import { openSource } from "../queue/source.ts"

export const openOutboxSource = (
  id: string,
  options: QueueSettings & { readonly ordered: boolean }
): Effect.Effect<Connector.SourceService, SqlError | SetupError, Database | Scope.Scope> =>
  Effect.flatMap(
    openStore(id, options.ordered, options),
    // What is taken back has no other key than it had: the relay does not know how the writer makes them.
    (store) => openSource(store, id, { key: undefined, priority: undefined, delay: undefined })
  )

export const openOutboxSink = (
  id: string,
  options: QueueSettings & SinkOptions
): Effect.Effect<Connector.SinkService, SqlError | SetupError, Database | Scope.Scope> =>
  Effect.flatMap(openStore(id, options.key !== undefined, options), (store) => openSink(store, options))

/** Fails where no transaction of the sink's database is open. */
export const inTransaction = (
  sink: Connector.SinkService,
  id: string
): Effect.Effect<void, ConnectorError.DispatchError, Database> =>
  Effect.flatMap(Database, (database) => {
    const refuse = (message: string) =>
      Effect.fail(new ConnectorError.DispatchError({ reason: new Reason.InvalidRequest({ message }) }))
    if (sink.database !== database) {
      return refuse(`the outbox "${id}" is in another database than the one that is provided here`)
    }
    return Effect.flatMap(Effect.serviceOption(database.sql.transactionService), (open) =>
      Option.isSome(open)
        ? Effect.void
        : refuse(`Outbox.put to "${id}" outside of a transaction: it belongs inside of SqlClient.withTransaction`))
  })

/**
 * Films from a file into a durable queue, and from there through a typed program into a table and a file. It reads from
 * top to bottom: what there is, what is done with it, how, and where it is kept.
 */
import { Connector, Decision, Task, Transaction } from "@ergon/core"
import { Jsonl } from "@ergon/files"
import { Sql, Sqlite } from "@ergon/sql"
import { Effect, Layer, Schema, Stream } from "effect"
import { Film, idOf, RawFilm } from "./film.ts"
import { movies } from "./movies.ts"
import * as Prices from "./prices.ts"
import { Profit, profitOf } from "./profit.ts"

// Anything may go into the queue. What comes out has to be a Film: two keys, one table.
export class RawFilms extends Connector.Queue<RawFilms>()("raw-films", RawFilm) {}
export class Films extends Connector.Queue<Films>()("films", Film) {}
export class Profits extends Connector.Sink<Profits>()("profits", Profit) {}
export class ProfitLines extends Connector.Sink<ProfitLines>()("profit-lines", Profit) {}
export class DeadFilms extends Connector.DeadLetters<DeadFilms>()("dead-films") {}

/** Fills the queue. An id that the queue knows is dropped, so that loading again changes nothing. */
export const load = Task.producer(
  "load",
  Stream.map(movies, (film) => Transaction.make(idOf(film), film)),
  ({ payload }) => Effect.succeed(payload)
).pipe(
  Task.dispatch(RawFilms, ({ id }, film) => Transaction.make(id, film)),
  Task.policy({ loop: { concurrency: 256 } })
)

export class GrossUnknown extends Schema.TaggedError<GrossUnknown>()("GrossUnknown", { message: Schema.String }) {}

/** Works on the queue: one film, one transaction. */
export const profits = Task.consumer(
  "profits",
  Films,
  Effect.fnUntraced(function*({ payload: film }) {
    if (film.gross === 0) return yield* new GrossUnknown({ message: "its worldwide gross is 0, so nobody knows it" })
    const prices = yield* Prices.Prices
    return profitOf(film, yield* prices.rise(film.released.getUTCFullYear()))
  })
).pipe(
  Task.dispatch(Profits, ({ id }, profit) => Transaction.make(id, profit)),
  Task.dispatch(ProfitLines, ({ id }, profit) => Transaction.make(id, profit)),
  Task.deadLetter(DeadFilms),
  Task.decide({ Busy: Decision.retry, GrossUnknown: Decision.deadLetter }),
  Task.policy({
    loop: { concurrency: 64, streaming: true },
    process: { retry: { maxAttempts: 5, backoff: "50 millis", multiplier: 2 }, timeout: "2 seconds" }
  })
)

/**
 * Where everything is kept: a database and a file in one folder. What a killed run held is free again after the lease;
 * `synchronous: "normal"` survives a kill, and is quick on slow disks too.
 */
export const layers = (folder: string) =>
  Layer.mergeAll(
    Sql.queue(RawFilms, { table: "films" }),
    Sql.queue(Films, { table: "films", lease: "3 seconds" }),
    Sql.table(Profits),
    Jsonl.sink(ProfitLines, { path: `${folder}/profits.jsonl` }),
    Sql.deadLetters(DeadFilms),
    Prices.layer
  ).pipe(Layer.provideMerge(Sqlite.layer({ filename: `${folder}/movies.db`, synchronous: "normal" })))

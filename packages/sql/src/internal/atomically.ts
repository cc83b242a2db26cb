/**
 * A transaction of our own, begun again where a deadlock or another transaction has undone it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { type Client, SqlError } from "./effectSql.ts"

const mostTries = 10
// Milliseconds for each try so far; a random part of them is waited.
const pause = 10

const isUndone = (error: unknown): boolean =>
  error instanceof SqlError &&
  (error.reason._tag === "DeadlockError" || error.reason._tag === "SerializationError")

/**
 * Runs `effect` in a transaction; inside of one that somebody else has begun, as a part of it, and then it is theirs to
 * begin again. What `effect` does outside of the database it may do several times. Worst case: 10 tries, with half a
 * second of waiting between them.
 */
export const atomically = <A, E, R>(
  sql: Client.SqlClient,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> => {
  const once = sql.withTransaction(effect)
  const attempt = (tries: number): Effect.Effect<A, E | SqlError, R> =>
    Effect.catchIf(once, isUndone, (error) =>
      tries < mostTries
        ? Effect.flatMap(Random.next, (part) =>
          Effect.andThen(
            Effect.sleep(part * pause * tries),
            attempt(tries + 1)
          ))
        : Effect.fail(error))
  return Effect.flatMap(
    Effect.serviceOption(sql.transactionService),
    (inside) => Option.isSome(inside) ? once : attempt(1)
  )
}

/**
 * Hears what other processes have changed: one session that listens, for all queues of a database.
 *
 *     idle ──somebody waits──▶ connecting ──LISTEN──▶ listening ──┐
 *                                  ▲                              │ the session ends, or no beat comes back
 *                                  └───────── a pause ◀───────────┘
 *
 * Every `watch` the session notifies itself. When that does not come back within `answer`, it hears nothing any more,
 * whatever its socket says, and a new one takes its place. Who waits is woken whenever one begins to listen, since nobody
 * knows what was missed. Until then, and where nobody can listen (behind a pooler of transactions), what others change is
 * found by looking every `poll`: that is the worst case.
 */
import type { PgConnection } from "@effect/sql-pg"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { Changes } from "../changes.ts"
import { ConnectionError, SqlError } from "../effectSql.ts"
import { bounded } from "./client.ts"
import type { Driver } from "./driver.ts"
import { channel } from "./queueStatements.ts"

// How long a notification of its own may take.
const answer = 5000
const pause = 1000
// A failing one is not to fill the server's log.
const longPause = 10_000

const beat = "beat:"

export interface ListenerOptions {
  readonly config: PgConnection.Config
  /** Milliseconds. */
  readonly watch: number
  /** What the clock of the server says, each time it was asked. */
  readonly clock: (now: number) => void
}

/** What the server's clock says, in milliseconds. */
export const serverClock = "extract(epoch FROM clock_timestamp())::float8 * 1000"

/** Waiting for a change is what begins the listening. */
class Heard extends Changes {
  private readonly wanted: () => void

  constructor(wanted: () => void) {
    super()
    this.wanted = wanted
  }

  override after(table: string, seen: number): Effect.Effect<void> {
    this.wanted()
    return super.after(table, seen)
  }
}

const deaf = (message: string) =>
  new SqlError({ reason: new ConnectionError({ cause: new Error(message), message, operation: "listen" }) })

/** Changes that are heard for as long as the scope is open. */
export const openListener = (
  driver: Driver,
  { clock, config, watch }: ListenerOptions
): Effect.Effect<Changes, never, Scope.Scope> =>
  Effect.gen(function*() {
    const wanted = yield* Latch.make(false)
    const changes = new Heard(() => wanted.openUnsafe())
    let beats = 0
    let hasListened = false

    const listen = Effect.scoped(Effect.gen(function*() {
      const connection = yield* driver.connection.make(config)
      const session = yield* connection.pin
      const heard = yield* session.listen(channel)
      let awaited: { readonly payload: string; readonly heard: Deferred.Deferred<void> } | undefined
      hasListened = true
      changes.anyChanged()
      const hear = Effect.forever(Effect.map(Queue.take(heard), ({ payload }) => {
        if (!payload.startsWith(beat)) changes.changed(payload)
        else if (payload === awaited?.payload) Deferred.doneUnsafe(awaited.heard, Exit.void)
      }))
      const check = Effect.gen(function*() {
        const payload = `${beat}${session.processId}:${beats++}`
        awaited = { payload, heard: yield* Deferred.make<void>() }
        const { rows: [row] } = yield* bounded(
          session.query(`SELECT pg_notify($1, $2), ${serverClock} AS now`, [channel, payload]),
          answer,
          "listen"
        )
        if (typeof row?.["now"] === "number") clock(row["now"])
        const answered = yield* Effect.timeoutOption(Deferred.await(awaited.heard), answer)
        if (answered._tag === "None") return yield* deaf(`no notification has come within ${answer} ms`)
      })
      return yield* Effect.raceFirst(hear, Effect.forever(Effect.andThen(Effect.sleep(watch), check)))
    }))

    yield* Effect.forkScoped(Effect.andThen(
      wanted.await,
      Effect.forever(
        Effect.flatMap(Effect.exit(listen), (exit) => {
          const first = hasListened
          hasListened = false
          return Effect.andThen(
            first
              ? Effect.logWarning(
                "PostgreSQL: notifications are no longer heard; listening again, looking meanwhile",
                Exit.isFailure(exit) ? exit.cause : ""
              )
              : Effect.logDebug("PostgreSQL: notifications cannot be heard; looking instead", exit),
            Effect.sleep(first ? pause : longPause)
          )
        })
      )
    ))
    return changes
  })

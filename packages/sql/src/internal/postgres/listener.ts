/**
 * Tells other processes what this one has changed, and hears what they have: one session that listens, for all queues of a
 * database.
 *
 *     idle ──somebody waits──▶ connecting ──LISTEN──▶ listening ──┐
 *                                  ▲                              │ the session ends, or no beat comes back
 *                                  └───────── a pause ◀───────────┘
 *
 * Every `watch` the session notifies itself. When that does not come back within `answer`, it hears nothing any more,
 * whatever its socket says, and a new one takes its place. Who waits is woken whenever one begins to listen, since nobody
 * knows what was missed. Until then, and where nobody can listen (behind a pooler of transactions), what others change is
 * found by looking every `poll`: that is the worst case.
 *
 * A notification goes after the commit that it tells of, in a statement of its own that does not wait for the disk, and at
 * most every `breath`: a transaction that notifies holds a lock of the whole database while it commits, so that those who
 * enqueue would wait for each other's disk. Killed in between, a process has told nobody, and others find by looking.
 */
import type { PgConnection } from "@effect/sql-pg"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { Changes } from "../changes.ts"
import { type Client, ConnectionError, SqlError } from "../effectSql.ts"
import { bounded } from "./client.ts"
import type { Driver } from "./driver.ts"

// How long a notification of its own may take.
const answer = 5000
const pause = 1000
// A failing one is not to fill the server's log.
const longPause = 10_000

/** The channel on which changes are told; the payload is the name of the table. */
const channel = "ergon"
const beat = "beat:"

/** Between two notifications. */
const breath = 5
// How long the last ones may take when the connector closes.
const lastWords = 1000

const told = `WITH soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
  SELECT pg_notify('${channel}', t.name) FROM unnest($1::text[]) AS t (name), soon`

export interface ListenerOptions {
  readonly sql: Client.SqlClient
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
  private readonly tells: (table: string) => void

  constructor(wanted: () => void, tells: (table: string) => void) {
    super()
    this.wanted = wanted
    this.tells = tells
  }

  override tell(table: string): void {
    this.tells(table)
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
  { clock, config, sql, watch }: ListenerOptions
): Effect.Effect<Changes, never, Scope.Scope> =>
  Effect.gen(function*() {
    const wanted = yield* Latch.make(false)
    const toTell = yield* Latch.make(false)
    const tables = new Set<string>()
    const changes = new Heard(() => wanted.openUnsafe(), (table) => {
      tables.add(table)
      toTell.openUnsafe()
    })
    /** What is not told is found by looking. */
    const tell = Effect.suspend(() => {
      toTell.closeUnsafe()
      if (tables.size === 0) return Effect.void
      const names = Array.from(tables)
      tables.clear()
      // It belongs to nothing that is traced.
      return Effect.withTracerEnabled(Effect.ignore(sql.unsafe(told, [names])), false)
    })
    yield* Effect.addFinalizer(() => Effect.timeoutOption(Effect.interruptible(tell), lastWords))
    yield* Effect.forkScoped(Effect.forever(
      toTell.await.pipe(Effect.andThen(Effect.uninterruptible(tell)), Effect.andThen(Effect.sleep(breath)))
    ))
    let beats = 0
    let heard = false

    const listen = Effect.scoped(Effect.gen(function*() {
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
      const connection = yield* Scope.provide(driver.connection.make(config), scope)
      const session = yield* connection.pin
      const notifications = yield* bounded(session.listen(channel), answer, "listen")
      // Before it would say that it no longer listens: a silent server would keep it waiting for the answer.
      yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
      let awaited: { readonly payload: string; readonly heard: Deferred.Deferred<void> } | undefined
      heard = true
      changes.anyChanged()
      const hear = Effect.forever(Effect.map(Queue.take(notifications), ({ payload }) => {
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

    const listening = yield* Effect.forkDetach(Effect.andThen(
      wanted.await,
      Effect.forever(
        Effect.flatMap(Effect.flip(listen), (error) => {
          const wasHeard = heard
          heard = false
          const why = error.reason.cause instanceof Error ? error.reason.cause.message : error.reason.message
          return Effect.andThen(
            wasHeard
              ? Effect.logWarning(
                `PostgreSQL: notifications are not heard: ${why}; looking meanwhile, and listening again`
              )
              : Effect.logDebug(`PostgreSQL: notifications cannot be heard: ${why}; looking instead`),
            Effect.sleep(wasHeard ? pause : longPause)
          )
        })
      )
    ))
    // A silent server may keep a session from ending: who closes does not wait for it.
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        Effect.sync(() => listening.interruptUnsafe()),
        Effect.timeoutOption(Effect.interruptible(Fiber.await(listening)), lastWords)
      )
    )
    return changes
  })

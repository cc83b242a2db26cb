/**
 * One connection that heals by itself.
 *
 *     idle ──first use──▶ connecting ──connected──▶ open
 *                          ▲   │ refused: again after a wait   │
 *                          │   └───────────────┐               │
 *                          └───────────────────┴──◀── lost ────┘        closed: with its scope
 *
 * Each attempt is a connection of its own to the next of the hosts, so that every refusal is seen with its reason. The
 * client library would connect again by itself, and says why only the first time. A broker that was reached before may
 * refuse for `patience` (credentials that are being changed, a virtual host that is restored) before that is an error
 * that is not retryable; until then it counts as a connection that is lost.
 */
import * as Reason from "@ergon/core/Reason"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { BrokerSettings } from "../settings/broker.ts"
import { call } from "./call.ts"
import type { Channel, Connection, Library } from "./library.ts"
import { reasonOf } from "./reason.ts"
import { surviving } from "./surviving.ts"
import { Waiters } from "./waiters.ts"

/** Milliseconds before the next attempt; the last one again and again. */
const waits = [100, 200, 500, 1000, 2000]

export const waitAfter = (failures: number): number => waits[Math.min(failures, waits.length) - 1] ?? 0

/** A connection in use: what is lost with it hangs on it. */
export interface Live {
  readonly connection: Connection
  readonly lost: Waiters
  isLost: boolean
  why: unknown
}

export interface LinkOptions {
  readonly settings: BrokerSettings
  readonly library: Library
  readonly clock: Clock.Clock
  readonly scope: Scope.Scope
  /** What it is for: in its name at the broker, and in messages. */
  readonly purpose: string
}

export class Link {
  private readonly options: LinkOptions
  private readonly changes = new Waiters()
  private readonly channels = new Set<Channel>()
  private started = false
  private closed = false
  private wasOpen = false
  private refusedSince: number | undefined
  private live: Live | undefined
  private failure: Reason.Reason | undefined
  private blocked: string | undefined

  constructor(options: LinkOptions) {
    this.options = options
  }

  get name(): string {
    return `${this.options.settings.name} (${this.options.purpose})`
  }

  /** Why there is no connection now; `undefined` while there is one, or before the first use. */
  get trouble(): Reason.Reason | undefined {
    return this.live === undefined ? this.failure : undefined
  }

  /** Why the broker takes nothing from this connection now, where it said so. */
  get blockedBy(): string | undefined {
    return this.blocked
  }

  /** The connection. Waits for one at most so long; fails at once when the broker refuses for good. */
  open(bound: number): Effect.Effect<Live, Reason.Reason> {
    return this.when(bound, () => {
      if (this.live !== undefined) return Effect.succeed(this.live)
      return this.failure?.isRetryable === false ? Effect.fail(this.failure) : undefined
    }, () => this.failure ?? this.timeout("the broker could not be reached", bound))
  }

  /** Until the broker takes messages again. Worst case: the bound. */
  unblocked(bound: number): Effect.Effect<void, Reason.Reason> {
    return this.when(bound, () => this.blocked === undefined ? Effect.void : undefined, () =>
      new Reason.Throttled({
        message: `the broker takes no messages now: ${this.blocked}`,
        retryAfter: 1000
      }))
  }

  /** Ends a connection that does not do what it should; the next one follows by itself. */
  drop(live: Live, why: unknown): void {
    if (live.isLost) return
    live.isLost = true
    live.why = why
    if (this.live === live) {
      this.live = undefined
      this.failure = this.patient(reasonOf("the connection was lost", why))
    }
    live.connection.unsafeDestroy()
    live.lost.wake()
  }

  private timeout(what: string, bound: number): Reason.Reason {
    return new Reason.ConnectionLost({ message: `${this.options.settings.display}: ${what} within ${bound} ms` })
  }

  private when<A>(
    bound: number,
    look: () => Effect.Effect<A, Reason.Reason> | undefined,
    otherwise: () => Reason.Reason
  ): Effect.Effect<A, Reason.Reason> {
    return Effect.suspend(() => {
      const until = this.options.clock.currentTimeMillisUnsafe() + bound
      const again = (): Effect.Effect<A, Reason.Reason> =>
        Effect.suspend(() => {
          if (this.closed) return Effect.fail(new Reason.InvalidRequest({ message: "the broker's Layer is closed" }))
          const seen = this.changes.count
          const found = look()
          if (found !== undefined) return found
          const left = until - this.options.clock.currentTimeMillisUnsafe()
          if (left <= 0) return Effect.fail(otherwise())
          return Effect.flatMap(Effect.timeoutOption(this.changes.after(seen), left), again)
        })
      return Effect.andThen(this.start, again())
    })
  }

  /** The loop that connects, in the scope of the broker. */
  private readonly start: Effect.Effect<void> = Effect.suspend(() => {
    if (this.started) return Effect.void
    this.started = true
    return Effect.andThen(
      Scope.addFinalizer(this.options.scope, Effect.suspend(() => this.close())),
      Effect.asVoid(Effect.forkIn(surviving(this.name, Effect.suspend(() => this.run())), this.options.scope))
    )
  })

  private readonly run = Effect.fnUntraced({ self: this }, function*(this: Link) {
    const { settings } = this.options
    for (let attempt = 0, failures = 0;; attempt++) {
      const host = settings.hosts[attempt % settings.hosts.length]!
      const tried = yield* Effect.result(this.attempt(host))
      if (Result.isFailure(tried)) {
        failures++
        const reason = reasonOf(`connecting to ${host.hostname}:${host.port}`, tried.failure)
        if (failures === 1 && this.wasOpen) yield* this.warn("the broker cannot be reached; trying again", reason)
        this.failure = this.patient(reason)
        this.changes.wake()
        yield* Effect.sleep(waitAfter(failures))
        continue
      }
      const live = tried.success
      if (this.wasOpen) yield* Effect.logInfo(`${this.name}: connected again to ${host.hostname}:${host.port}`)
      failures = 0
      this.wasOpen = true
      this.refusedSince = undefined
      this.failure = undefined
      this.live = live
      this.changes.wake()
      yield* live.lost.after(0)
      this.live = undefined
      this.blocked = undefined
      this.failure = this.patient(reasonOf("the connection was lost", live.why))
      this.changes.wake()
      yield* this.warn("the connection was lost; connecting again", this.failure)
    }
  })

  private warn(what: string, reason: Reason.Reason): Effect.Effect<void> {
    return Effect.logWarning(`${this.name}: ${what}`).pipe(
      Effect.annotateLogs({ reason: `${reason._tag}: ${reason.message}` })
    )
  }

  /** A refusal by a broker that was reached before may pass. */
  private patient(reason: Reason.Reason): Reason.Reason {
    if (reason.isRetryable || !this.wasOpen) return reason
    const now = this.options.clock.currentTimeMillisUnsafe()
    this.refusedSince ??= now
    return now - this.refusedSince < this.options.settings.patience
      ? new Reason.ConnectionLost({
        message: `refused for now: ${reason._tag}: ${reason.message}`,
        cause: reason.cause
      })
      : reason
  }

  private attempt(host: BrokerSettings["hosts"][number]): Effect.Effect<Live, unknown> {
    return Effect.callback<Live, unknown>((resume) => {
      const connection = new this.options.library.Connection({ ...host, connectionName: this.name })
      const live: Live = { connection, lost: new Waiters(), isLost: false, why: undefined }
      let answered = false
      connection.on("error", (error) => {
        if (answered) return this.drop(live, error)
        answered = true
        connection.unsafeDestroy()
        resume(Effect.fail(error))
      })
      connection.on("connection", () => {
        answered = true
        resume(Effect.succeed(live))
      })
      connection.on("connection.blocked", (why) => {
        this.blocked = why
      })
      connection.on("connection.unblocked", () => {
        this.blocked = undefined
        this.changes.wake()
      })
      return Effect.sync(() => connection.unsafeDestroy())
    })
  }

  /** In order within 2 seconds, else by force. */
  private close(): Effect.Effect<void> {
    const { channels, live } = this
    this.closed = true
    this.live = undefined
    this.changes.wake()
    if (live === undefined) return Effect.void
    const { connection } = live
    const inOrder = async () => {
      await Promise.all(Array.from(channels, (channel) => channel.close()))
      await connection.close()
    }
    return Effect.promise(() => inOrder().catch(() => {})).pipe(
      Effect.timeoutOption("2 seconds"),
      Effect.andThen(Effect.sync(() => connection.unsafeDestroy()))
    )
  }

  /** A channel of a connection. It ends with it, or with the scope of the broker. */
  channel(live: Live): Effect.Effect<Channel, Reason.Reason> {
    const opened = call("opening a channel", () => live.connection.acquire({ emitErrorsFromChannel: true }))
    return Effect.tap(opened, (channel) =>
      Effect.sync(() => {
        this.channels.add(channel)
        // Without a listener an error would end the process; whoever uses the channel listens too.
        channel.on("error", () => {})
        channel.on("close", () => this.channels.delete(channel))
      }))
  }
}

/**
 * Notices a subscription that is silently gone: connected, and nothing comes. Every five seconds in which nothing has
 * arrived from a queue it asks the broker what waits there and who consumes.
 *
 *     nobody consumes, or messages wait for two looks in a row ──▶ subscribe again
 *                                    still so, at the next look ──▶ another connection
 *                                    still so, at the next look ──▶ unhealthy, and so on
 *
 * One arrival ends it. A queue with a single active consumer may have messages that are for another one: there only
 * nobody consuming counts.
 */
import * as Effect from "effect/Effect"
import * as Reason from "@ergon/core/Reason"
import type { Live } from "../client/link.ts"
import { canHaveMore, type Waiting } from "./empty.ts"
import type { Session } from "./session.ts"

const every = "5 seconds"

/** What it looks at. */
export interface Watched {
  readonly session: Pick<Session, "queues" | "share" | "isAlive" | "end"> | undefined
  readonly live: Live | undefined
  readonly waiting: Effect.Effect<ReadonlyArray<Waiting>, Reason.Reason>
  readonly giveBack: () => void
  readonly parkIfIdle: () => void
}

export interface WatchdogOptions {
  readonly subscription: Watched
  /** Gives up a connection. */
  readonly drop: (live: Live, why: unknown) => void
  /** Of the source, for messages. */
  readonly id: string
}

export class Watchdog {
  private readonly drop: WatchdogOptions["drop"]
  private readonly subscription: Watched
  private readonly id: string
  private suspected = 0
  private healed = 0

  constructor(options: WatchdogOptions) {
    this.drop = options.drop
    this.subscription = options.subscription
    this.id = options.id
  }

  /** What it could not heal. */
  get trouble(): Reason.Reason | undefined {
    return this.healed < 3 ? undefined : new Reason.ConnectionLost({
      message:
        `messages wait for source "${this.id}" and none arrives: subscribed and connected again ${this.healed} times`
    })
  }

  run(): Effect.Effect<never> {
    return Effect.forever(Effect.flatMap(Effect.sleep(every), () => this.look))
  }

  readonly look: Effect.Effect<void> = Effect.suspend(() => {
    const { subscription } = this
    subscription.giveBack()
    subscription.parkIfIdle()
    const { session } = subscription
    if (session === undefined) {
      this.suspected = 0
      return Effect.void
    }
    let arrived = false
    for (const queue of session.queues) {
      arrived ||= queue.arrived
      queue.arrived = false
    }
    if (arrived) {
      this.suspected = 0
      this.healed = 0
      return Effect.void
    }
    return Effect.matchEffect(subscription.waiting, {
      // The connection, the session and a fetch tell why.
      onFailure: () => Effect.void,
      onSuccess: (waiting) => {
        const orphaned = waiting.find(({ consumers, name }) =>
          consumers === 0 && session.queues.some((queue) => queue.name === name)
        )
        if (orphaned === undefined && !canHaveMore(session, waiting)) {
          this.suspected = 0
          this.healed = 0
          return Effect.void
        }
        this.suspected++
        return session.isAlive && (orphaned !== undefined || this.suspected > 1 || this.healed > 0)
          ? this.heal(waiting, orphaned)
          : Effect.void
      }
    })
  })

  private heal(waiting: ReadonlyArray<Waiting>, orphaned: Waiting | undefined): Effect.Effect<void> {
    const { session } = this.subscription
    if (session === undefined) return Effect.void
    const again = this.healed > 0
    this.healed++
    this.suspected = 0
    const what = orphaned === undefined
      ? "messages wait and none arrives"
      : `nobody consumes from queue "${orphaned.name}"`
    return Effect.flatMap(
      Effect.logWarning(`source "${this.id}": ${what}; ${again ? "connecting" : "subscribing"} again`).pipe(
        Effect.annotateLogs({ waiting: waiting.map(({ messages, name }) => `${name}: ${messages}`).join(", ") })
      ),
      () =>
        Effect.sync(() => {
          const { live } = this.subscription
          if (again && live !== undefined) this.drop(live, new Error(what))
          session.end(new Error(what))
        })
    )
  }
}

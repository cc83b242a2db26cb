/**
 * One reader of dead letters at a time, in this process and in all others: who reads holds all letters for a moment, and
 * another one would see none of them. The lock is a queue that belongs to one connection: it is gone with it.
 */
import * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Link, Live } from "../client/link.ts"
import { asking } from "../client/topology.ts"
import { call } from "../client/call.ts"

const tries = 100

/** The locks of one broker, by the names of their queues. */
export class Locks {
  private readonly local = new Map<string, Semaphore.Semaphore>()

  /** Runs `use` alone. Waits for others at most 20 seconds. */
  alone<A>(
    link: Link,
    live: Live,
    queue: string,
    use: Effect.Effect<A, Reason.Reason>
  ): Effect.Effect<A, Reason.Reason> {
    const name = `${queue}.reading`
    let semaphore = this.local.get(name)
    if (semaphore === undefined) this.local.set(name, semaphore = Semaphore.makeUnsafe(1))
    const declared = asking(
      link,
      live,
      (channel) =>
        call(
          "waiting for another reader of the dead letters",
          () => channel.queueDeclare({ queue: name, exclusive: true })
        )
    )
    const acquire = (left: number): Effect.Effect<unknown, Reason.Reason> =>
      declared.pipe(
        Effect.catch((reason) =>
          reason instanceof Reason.Throttled && left > 0
            ? Effect.andThen(Effect.sleep("200 millis"), acquire(left - 1))
            : Effect.fail(reason)
        )
      )
    const release = Effect.ignore(
      asking(link, live, (channel) => call("letting other readers in", () => channel.queueDelete({ queue: name })))
    )
    return Semaphore.withPermit(semaphore, Effect.acquireUseRelease(acquire(tries), () => use, () => release))
  }
}

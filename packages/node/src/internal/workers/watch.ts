/**
 * Judges a worker from outside its event loop, by what it reports: `Liveness` judges each report, and no report for too
 * long is a blocked event loop.
 *
 * Worst case until a blocked event loop is acted upon: twice `supervision.check`, once more until the next check, and
 * `supervision.unhealthyGrace`.
 */
import * as Liveness from "@ergon/core/Liveness"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Copy } from "./copy.ts"
import type { Beat } from "./protocol.ts"

/** Runs until the worker has been unhealthy for too long, and says why. */
export const watch = (
  copy: Copy,
  ofPolicy: Liveness.Bounds,
  limit: number,
  unhealthy: Deferred.Deferred<string>
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const bounds = { ...ofPolicy, limit }
    let health = Liveness.start(copy.heardAt)
    let judged: Beat | undefined
    let checkedAt = clock.currentTimeMillisUnsafe()
    while (!Liveness.asksForEnd(bounds, health)) {
      yield* Effect.sleep(bounds.check)
      const now = clock.currentTimeMillisUnsafe()
      // The host itself was held up: what the worker has sent meanwhile is still to be read.
      const late = now - checkedAt > bounds.blocked
      checkedAt = now
      if (late || copy.beat === undefined) continue
      const silent = now - copy.heardAt
      if (copy.beat !== judged) {
        judged = copy.beat
        const { at, connectors, count, status } = judged
        health = Liveness.check(bounds, health, { at, status, connectors, count })
      } else if (silent > bounds.blocked) {
        const reason = Liveness.loopBlocked(silent, bounds.blocked)
        health = Liveness.checkFailed(bounds, health, { at: now, reason })
      }
    }
    Deferred.doneUnsafe(unhealthy, Exit.succeed(health.reasons.map(({ message }) => message).join("; ")))
  })

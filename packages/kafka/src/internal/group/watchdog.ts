/**
 * Notices a session that is silently gone, and ends it, so that another one follows.
 *
 * A connection that is up says nothing: what counts is that the group answers and that messages arrive. Worst case until
 * it is noticed:
 *
 * - the group does not answer heartbeats, or has forgotten the member without telling it: `session`
 * - a rebalance does not come to its end: `rebalance` and `drain`
 * - fetches are not answered: `session`
 * - fetches are answered with nothing although there is something: two looks, `watch` apart
 */
import { Reason } from "@ergon/core"
import * as Effect from "effect/Effect"
import type { Session } from "./session.ts"

export const watchdog = (session: Session): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { settings } = session
    const often = Math.min(1000, settings.session / 4)
    let lookAt = Date.now() + settings.watch
    let suspect: ReadonlyMap<string, number> = new Map()
    while (session.state !== "ended") {
      yield* Effect.sleep(often)
      const now = Date.now()
      const wrong = silence(session, now)
      if (wrong !== undefined) {
        session.end(new Reason.ConnectionLost({ message: wrong }))
        return
      }
      if (now < lookAt || !session.isStable) continue
      lookAt = now + settings.watch
      // With enough waiting here, nothing is asked for.
      const waiting = session.isFull ? new Map<string, number>() : yield* stuck(session)
      const still = [...waiting].find(([label, position]) => suspect.get(label) === position)
      suspect = waiting
      if (still !== undefined) {
        session.end(new Reason.ConnectionLost({ message: `messages wait in ${still[0]} and none arrives` }))
        return
      }
    }
  })

const silence = (session: Session, now: number): string | undefined => {
  const { drain, rebalance, session: timeout } = session.settings
  if (session.state === "joining" && now - session.since > rebalance + timeout) {
    return `the group has not let it in for ${now - session.since} ms`
  }
  if (session.state === "draining" || session.state === "rejoining") {
    return now - session.since > rebalance + drain ? "the group does not come to the end of its rebalance" : undefined
  }
  if (session.state !== "stable") return undefined
  if (now - session.beatAt > timeout) return `the group has not answered a heartbeat for ${now - session.beatAt} ms`
  const unknown = [...session.partitions.values()].find(({ offsets }) => offsets === undefined)
  if (unknown !== undefined && now - session.since > timeout) {
    return `nobody says where ${unknown.name} begins, for ${now - session.since} ms`
  }
  const asks = !session.isFull &&
    [...session.partitions.values()].some(({ buffered, offsets }) => offsets !== undefined && buffered === 0)
  if (asks && now - session.fetchedAt > Math.max(timeout, 3 * session.settings.maxWait)) {
    return `no fetch was answered for ${now - session.fetchedAt} ms`
  }
  return undefined
}

/** Partitions with nothing in their buffer whose end is beyond what was fetched, and where they stand. */
const stuck = (session: Session): Effect.Effect<Map<string, number>> =>
  Effect.gen(function*() {
    const empty = [...session.partitions.values()].filter(({ buffered, offsets }) =>
      offsets !== undefined && buffered === 0
    )
    const positions = new Map<string, number>()
    if (empty.length === 0) return positions
    const ends = yield* Effect.orElseSucceed(session.offsets("latest", empty), () => undefined)
    for (const partition of empty) {
      const end = ends?.get(partition.topic)?.[partition.index]
      if (partition.held && end !== undefined && end > partition.fetchFrom && partition.buffered === 0) {
        positions.set(partition.label, partition.fetchFrom)
      }
    }
    return positions
  })

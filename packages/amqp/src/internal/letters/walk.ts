/**
 * A walk through a queue of dead letters: everything in it is taken in order and, but for what is acknowledged, given back
 * in the same order when the channel is closed. A process that dies meanwhile gives back everything.
 */
import type * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import { call } from "../client/call.ts"
import type { AsyncMessage, Channel } from "../client/library.ts"
import type { Link } from "../client/link.ts"
import { asking, countQueue } from "../client/topology.ts"
import type { Locks } from "./lock.ts"

/** As many as a channel can hold unsettled. Beyond that, letters are seen once the first ones are gone. */
const most = 65_000

/** Without any of those that were counted: somebody else has taken them. */
const silence = 2_000

export interface Walker {
  readonly link: Link
  readonly locks: Locks
  readonly queue: string
}

/** Shows each letter until `visit` answers false, then does something with them while they are all still held. */
export const walk = <A>(
  { link, locks, queue }: Walker,
  visit: (message: AsyncMessage) => boolean,
  then: (channel: Channel) => Effect.Effect<A, Reason.Reason>
): Effect.Effect<A, Reason.Reason> =>
  Effect.flatMap(link.open(20_000), (live) =>
    locks.alone(
      link,
      live,
      queue,
      asking(link, live, (channel) =>
        Effect.gen(function*() {
          const { messageCount } = yield* countQueue(channel, queue)
          const count = Math.min(messageCount, most)
          if (count > 0) yield* seeAll(channel, queue, count, visit)
          return yield* then(channel)
        }))
    ))

const seeAll = (channel: Channel, queue: string, count: number, visit: (message: AsyncMessage) => boolean) =>
  Effect.gen(function*() {
    yield* call("reading dead letters", () => channel.basicQos({ prefetchCount: most }))
    let left = count
    let done = false
    let heard = () => {}
    const finished = Effect.callback<void>((resume) => {
      let timer: NodeJS.Timeout | undefined
      const end = () => {
        clearTimeout(timer)
        resume(Effect.void)
      }
      const wait = () => {
        clearTimeout(timer)
        timer = setTimeout(end, silence)
      }
      heard = () => done ? end() : wait()
      channel.once("close", end)
      heard()
      return Effect.sync(() => clearTimeout(timer))
    })
    yield* call("reading dead letters", () =>
      channel.basicConsume({ queue }, (message) => {
        if (done) return
        done = !visit(message) || --left === 0
        heard()
      }))
    yield* finished
    done = true
  })

/**
 * Letters in a queue as `Letters`: listed in the order of their keys, which begin with the time at which they were made.
 */
import type { Letters, StoredLetter } from "@ergon/core/Connector"
import { LettersError } from "@ergon/core/ConnectorError"
import type { DeadLetter } from "@ergon/core/DeadLetter"
import type * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { call } from "../client/call.ts"
import type { AsyncMessage, Channel } from "../client/library.ts"
import type { Message, Publisher } from "../client/publisher.ts"
import { ours } from "../message/headers.ts"
import { closed } from "../source/subscription.ts"
import { walk, type Walker } from "./walk.ts"

/** Keys of letters that are made here: later ones come after earlier ones, also within a millisecond. */
export class Keys {
  private last = 0
  private count = 0

  next(now: number): string {
    this.count = now > this.last ? 0 : this.count + 1
    this.last = Math.max(now, this.last)
    return `${String(this.last).padStart(15, "0")}-${String(this.count).padStart(6, "0")}-${randomUUID()}`
  }
}

/** One that the broker itself has made has no key: when it died, to the second, and its place in the queue's order. */
const deathOf = (message: AsyncMessage): string => {
  const deaths: unknown = message.headers?.["x-death"]
  const time: unknown = Array.isArray(deaths) ? deaths[0]?.time : undefined
  return `${String(typeof time === "number" ? time * 1000 : 0).padStart(15, "0")}-${message.messageId ?? ""}`
}

const keyOf = (message: AsyncMessage): string => {
  const key: unknown = message.headers?.[ours.letter]
  return typeof key === "string" ? key : deathOf(message)
}

export interface KeptOptions {
  readonly walker: Walker
  readonly publisher: Publisher
  readonly isClosed: () => boolean
  readonly letterOf: (message: AsyncMessage) => DeadLetter
  /** The message that goes back for a letter; where letters go back at all. */
  readonly back?: (message: AsyncMessage) => Message
}

export const keptLetters = (options: KeptOptions): Letters => {
  const { back, isClosed, letterOf, publisher, walker } = options

  const walking = <A>(
    visit: (message: AsyncMessage) => boolean,
    then: (channel: Channel) => Effect.Effect<A, Reason.Reason>
  ): Effect.Effect<A, LettersError> =>
    Effect.suspend(() => isClosed() ? Effect.fail(closed) : walk(walker, visit, then)).pipe(
      Effect.mapError((reason) => new LettersError({ reason }))
    )

  const stored = (message: AsyncMessage): StoredLetter => ({ key: keyOf(message), letter: letterOf(message) })

  const acknowledge = (channel: Channel, messages: ReadonlyArray<AsyncMessage>) =>
    Effect.suspend(() => {
      if (messages.length === 0) return Effect.void
      for (const { deliveryTag } of messages) channel.basicAck({ deliveryTag })
      return call("removing dead letters", () => channel.basicQos({ prefetchCount: 1 }))
    })

  /** Finds these letters, and stops once all are found. */
  const finding = <A>(
    keys: ReadonlyArray<string>,
    then: (channel: Channel, found: ReadonlyArray<AsyncMessage>) => Effect.Effect<A, Reason.Reason>
  ) => {
    const wanted = new Set(keys)
    const found: Array<AsyncMessage> = []
    return walking((message) => {
      if (wanted.delete(keyOf(message))) found.push(message)
      return wanted.size > 0
    }, (channel) => then(channel, found))
  }

  const letters: Letters = {
    list: ({ after, max }) => {
      // The first ones in the order of their keys, and one more to know whether there are any.
      const first: Array<{ readonly key: string; readonly message: AsyncMessage }> = []
      return walking((message) => {
        const key = keyOf(message)
        if (after !== undefined && key <= after) return true
        const last = first.at(-1)
        if (first.length > max && last !== undefined && key >= last.key) return true
        const place = first.findLastIndex((one) => one.key <= key) + 1
        first.splice(place, 0, { key, message })
        if (first.length > max + 1) first.pop()
        return true
      }, () =>
        Effect.sync(() => ({
          letters: first.slice(0, max).map(({ message }) => stored(message)),
          next: first.length > max ? first[max - 1]?.key : undefined
        })))
    },
    find: (id) => {
      const found: Array<AsyncMessage> = []
      return walking((message) => {
        if (message.messageId === id) found.push(message)
        return true
      }, () => Effect.sync(() => found.map(stored)))
    },
    remove: (keys) => Effect.uninterruptible(finding(keys, acknowledge))
  }
  if (back === undefined) return letters
  return {
    ...letters,
    putBack: (keys) =>
      Effect.uninterruptible(Effect.flatMap(
        finding(keys, (channel, found) =>
          Effect.flatMap(publisher.publish(found.map(back)), (reasons) => {
            const done = found.filter((_, place) => reasons[place] === undefined)
            const failed = found.flatMap((message, place) => {
              const reason = reasons[place]
              return reason === undefined ? [] : [{ index: keys.indexOf(keyOf(message)), reason }]
            })
            return Effect.as(acknowledge(channel, done), { keys: done.map(keyOf), failed })
          })),
        ({ failed, keys }) => {
          const [first] = failed
          return first === undefined
            ? Effect.succeed(keys)
            : Effect.fail(new LettersError({ reason: first.reason, failed }))
        }
      ))
  }
}

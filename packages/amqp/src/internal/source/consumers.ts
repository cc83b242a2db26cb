/**
 * The consumers of a session: one for each queue. One that the broker cancels, because its queue was deleted or moved, is
 * started again on the same channel once the queue is there; what is in flight from other queues stays ours.
 */
import type * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import { call } from "../client/call.ts"
import { waitAfter } from "../client/link.ts"
import { Waiters } from "../client/waiters.ts"
import type { Consumed, Session } from "./session.ts"

export interface ConsumersOptions {
  readonly session: Session
  /** Of the source, for messages. */
  readonly id: string
  /** Makes the topology, or looks whether it is there. */
  readonly ready: Effect.Effect<void, Reason.Reason>
  /** Told each time a queue is refused. */
  readonly refused: (reason: Reason.Reason) => void
}

export class Consumers {
  private readonly options: ConsumersOptions
  private readonly tags = new Map<string, Consumed>()
  private readonly cancelled: Array<Consumed> = []
  private readonly changes = new Waiters()

  constructor(options: ConsumersOptions) {
    this.options = options
    options.session.channel.on("basic.cancel", (tag) => {
      const queue = this.tags.get(tag)
      if (queue === undefined) return
      this.tags.delete(tag)
      // One that was added to has several consumers, which are cancelled together.
      if (!this.cancelled.includes(queue)) this.cancelled.push(queue)
      this.changes.wake()
    })
  }

  get start(): Effect.Effect<void, Reason.Reason> {
    const { session } = this.options
    return Effect.andThen(
      session.confirmed,
      Effect.forEach(session.queues, (queue) => this.consume(queue), { discard: true })
    )
  }

  /** More of each queue may be unsettled: by one more consumer, as the prefetch of one cannot change. */
  grow(share: number): Effect.Effect<void, Reason.Reason> {
    return Effect.suspend(() => {
      this.options.session.grow(share)
      return this.start
    })
  }

  /** Starts again what is cancelled, until the session ends. */
  get keep(): Effect.Effect<void> {
    return Effect.asVoid(Effect.raceFirst(this.again(0), this.options.session.ended.after(0)))
  }

  private consume(queue: Consumed): Effect.Effect<void, Reason.Reason> {
    const { session } = this.options
    const consuming = call(
      `consuming from queue "${queue.name}"`,
      () => session.channel.basicConsume({ queue: queue.name }, (message) => session.arrive(queue, message))
    )
    return Effect.map(consuming, ({ consumerTag }) => void this.tags.set(consumerTag, queue))
  }

  private again(failures: number): Effect.Effect<never> {
    return Effect.suspend(() => {
      const { id, ready, refused } = this.options
      const seen = this.changes.count
      const queue = this.cancelled[0]
      if (queue === undefined) return Effect.flatMap(this.changes.after(seen), () => this.again(0))
      const { session } = this.options
      session.whole()
      return Effect.andThen(ready, Effect.andThen(session.confirmed, this.consume(queue))).pipe(
        Effect.matchEffect({
          onSuccess: () => {
            this.cancelled.shift()
            return Effect.logInfo(
              `source "${id}": consuming again from queue "${queue.name}", whose consumer was cancelled`
            )
          },
          onFailure: (reason) => {
            refused(reason)
            const told = failures > 0 ? Effect.void : Effect.logWarning(
              `source "${id}": the broker has cancelled the consumer of queue "${queue.name}"; consuming again`
            ).pipe(Effect.annotateLogs({ reason: `${reason._tag}: ${reason.message}` }))
            return Effect.andThen(told, Effect.sleep(waitAfter(failures + 1)))
          }
        }),
        Effect.flatMap(() => this.again(this.cancelled.includes(queue) ? failures + 1 : 0))
      )
    })
  }
}

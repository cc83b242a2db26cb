/**
 * Publishes messages: what piles up while one request is in flight is the next one. No linger.
 *
 *     idle -> sending -> idle, or sending what came meanwhile
 *               +-> the producer is given up: it failed, or did not answer in `timeout`; the next request makes a new one
 *
 * One request at a time keeps the order within a partition. An idempotent producer repeats a request that got no answer
 * and the broker drops what it has; once it is given up, nothing of it is sent any more. Worst case for a message: the
 * request in flight and its own, each bounded by `timeout`.
 */
import { Reason } from "@ergon/core"
import type { Partitioner } from "@platformatic/kafka"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Outgoing } from "../message/write.ts"
import type { PublishSettings } from "../settings/sink.ts"
import { reasonOf } from "./reason.ts"
import { ask, type Clients, type RawProducer } from "./clients.ts"

interface Parcel {
  readonly messages: ReadonlyArray<Outgoing>
  readonly answer: (reason: Reason.Reason | undefined) => void
}

// Of a request: messages, and bytes of their values.
const mostMessages = 2000
const mostBytes = 4_000_000

export class Publisher {
  private readonly clients: Clients
  private readonly settings: PublishSettings
  private readonly fork: (effect: Effect.Effect<void>) => void
  private pending: Array<Parcel> = []
  private sending = false
  private closed = false
  private producer: { readonly raw: RawProducer; readonly scope: Scope.Closeable } | undefined
  private unkeyed = 0
  /** Why the client tries again. */
  private retried: Reason.Reason | undefined
  private giveUpHope: ((reason: Reason.Reason) => void) | undefined
  /** Why the last request failed; `undefined` once one has been confirmed. */
  problem: Reason.Reason | undefined

  constructor(clients: Clients, settings: PublishSettings, fork: (effect: Effect.Effect<void>) => void) {
    this.clients = clients
    this.fork = fork
    this.settings = settings
  }

  /** Returns when the cluster has all of them, by every replica that is in sync. */
  publish(messages: ReadonlyArray<Outgoing>): Effect.Effect<void, Reason.Reason> {
    if (messages.length === 0) return this.closed ? Effect.fail(isClosed) : Effect.void
    return Effect.callback<void, Reason.Reason>((resume) => {
      if (this.closed) return resume(Effect.fail(isClosed))
      const parcel: Parcel = {
        messages,
        answer: (reason) => resume(reason === undefined ? Effect.void : Effect.fail(reason))
      }
      this.pending.push(parcel)
      if (!this.sending) {
        this.sending = true
        this.fork(this.sendAll)
      }
      return Effect.sync(() => {
        const index = this.pending.indexOf(parcel)
        if (index >= 0) this.pending.splice(index, 1)
      })
    })
  }

  /** Ends what waits, and the producer. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closed = true
      for (const parcel of this.pending.splice(0)) parcel.answer(isClosed)
      return this.giveUp
    })
  }

  private get sendAll(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (this.pending.length > 0) {
        const parcels = this.take()
        const exit = yield* Effect.exit(this.send(parcels.flatMap(({ messages }) => messages)))
        const reason = Exit.isSuccess(exit) ? undefined : reasonIn(exit)
        this.problem = reason
        for (const parcel of parcels) parcel.answer(reason)
      }
      this.sending = false
    })
  }

  private take(): ReadonlyArray<Parcel> {
    let messages = 0
    let bytes = 0
    let count = 0
    for (const parcel of this.pending) {
      messages += parcel.messages.length
      for (const { value } of parcel.messages) bytes += value.length
      if (count > 0 && (messages > mostMessages || bytes > mostBytes)) break
      count++
    }
    return this.pending.splice(0, count)
  }

  private send(messages: ReadonlyArray<Outgoing>): Effect.Effect<void, Reason.Reason> {
    const { compression, timeout } = this.settings
    this.retried = undefined
    const sent = Effect.flatMap(this.connected, (producer) =>
      ask("publishing", () =>
        producer.send({
          messages: messages.map((message) => ({ ...message })),
          acks: -1,
          compression,
          partitioner: this.partitioner
        })))
    // The client tries again after failures that do not pass by themselves, too: a certificate that nobody trusts.
    const hopeless = Effect.callback<never, Reason.Reason>((resume) => {
      this.giveUpHope = (reason) => resume(Effect.fail(reason))
      return Effect.sync(() => {
        this.giveUpHope = undefined
      })
    })
    return Effect.raceFirst(sent, hopeless).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () =>
          Effect.fail(
            this.retried ?? new Reason.Timeout({ message: `publishing: no answer within ${timeout} ms` })
          )
      }),
      Effect.asVoid,
      Effect.tapCause(() => this.giveUp)
    )
  }

  private readonly noteRetry = (error: Error): void => {
    const reason = reasonOf("publishing", error)
    this.retried = reason
    this.problem = reason
    if (!reason.isRetryable && reason._tag !== "Unknown") this.giveUpHope?.(reason)
  }

  /** As other clients of Kafka do, so that a key is in the same partition whoever writes it; without a key in turn. */
  private readonly partitioner: Partitioner<Buffer, Buffer, Buffer, Buffer> = (message, key) =>
    key === undefined
      ? this.unkeyed = (this.unkeyed + 1) & 0x7fffffff
      : this.clients.library.compatibilityPartitioner(message, key)

  private get connected(): Effect.Effect<RawProducer, Reason.Reason> {
    return Effect.suspend(() => {
      if (this.producer !== undefined) return Effect.succeed(this.producer.raw)
      return Effect.uninterruptibleMask((restore) =>
        Effect.gen({ self: this }, function*() {
          const scope = yield* Scope.make()
          const raw = yield* restore(
            Scope.provide(
              this.clients.producer({ idempotent: this.settings.idempotent, retried: this.noteRetry }),
              scope
            )
          ).pipe(
            Effect.onError(() => Scope.close(scope, Exit.void))
          )
          this.producer = { raw, scope }
          return raw
        })
      )
    })
  }

  private get giveUp(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { producer } = this
      this.producer = undefined
      return producer === undefined ? Effect.void : Scope.close(producer.scope, Exit.void)
    })
  }
}

const isClosed = new Reason.InvalidRequest({ message: "the connector is closed" })

const reasonIn = (exit: Exit.Failure<void, Reason.Reason>): Reason.Reason => {
  const error = exit.cause.reasons.find((one) => one._tag === "Fail")
  return error?._tag === "Fail" ? error.error : new Reason.Unknown({ message: "publishing failed with a defect" })
}

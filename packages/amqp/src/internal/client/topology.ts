/**
 * Makes the exchanges, queues and bindings, or looks whether they are there. Doing it again changes nothing; one that is
 * there with other arguments is refused.
 */
import * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import type { QueuePlan, Topology } from "../settings/topology.ts"
import { call } from "./call.ts"
import type { Channel } from "./library.ts"
import type { Link, Live } from "./link.ts"

/**
 * A channel for a few questions, closed after them. A refused question closes it anyway. Opening it can be interrupted: a
 * frozen broker must not hold up who closes.
 */
export const asking = <A>(
  link: Link,
  live: Live,
  ask: (channel: Channel) => Effect.Effect<A, Reason.Reason>
): Effect.Effect<A, Reason.Reason> =>
  Effect.flatMap(link.channel(live), (channel) =>
    Effect.onExit(
      Effect.suspend(() => ask(channel)),
      () => Effect.ignore(call("closing a channel", () => channel.close(), 5_000))
    ))

const exchangeOf = ({ alternate, arguments: given, name, type = "direct" }: Topology["exchanges"][number]) => ({
  exchange: name,
  type,
  durable: true,
  arguments: { ...given, ...alternate === undefined ? {} : { "alternate-exchange": alternate } }
})

const declareQueue = (channel: Channel, queue: QueuePlan) =>
  Effect.gen(function*() {
    yield* call(
      `declaring queue "${queue.name}"`,
      () => channel.queueDeclare({ queue: queue.name, durable: true, arguments: { ...queue.arguments } })
    )
    for (const { arguments: given, exchange, routingKey = "" } of queue.bindings) {
      yield* call(
        `binding queue "${queue.name}" to exchange "${exchange}"`,
        () => channel.queueBind({ queue: queue.name, exchange, routingKey, arguments: { ...given } })
      )
    }
  })

const declare = (channel: Channel, topology: Topology) =>
  Effect.gen(function*() {
    for (const exchange of topology.exchanges) {
      yield* call(`declaring exchange "${exchange.name}"`, () => channel.exchangeDeclare(exchangeOf(exchange)))
    }
    for (const queue of topology.queues) yield* declareQueue(channel, queue)
  })

const missing = (what: string) => (reason: Reason.Reason) =>
  reason instanceof Reason.NotFound
    ? new Reason.NotFound({
      message: `${what} is not there: make it, or give declare: true. ${reason.message}`,
      cause: reason.cause
    })
    : reason

const lookForExchange = (channel: Channel, name: string) =>
  Effect.mapError(
    call(`looking for exchange "${name}"`, () => channel.exchangeDeclare({ exchange: name, passive: true })),
    missing(`exchange "${name}"`)
  )

const look = (channel: Channel, topology: Topology) =>
  Effect.gen(function*() {
    for (const { name } of topology.exchanges) yield* lookForExchange(channel, name)
    for (const { name } of topology.queues) yield* countQueue(channel, name)
  })

/** How many messages wait in a queue, and how many consume from it. */
export const countQueue = (channel: Channel, name: string) =>
  Effect.mapError(
    call(`looking for queue "${name}"`, () => channel.queueDeclare({ queue: name, passive: true })),
    missing(`queue "${name}"`)
  )

export const prepare = (
  link: Link,
  live: Live,
  topology: Topology,
  declared: boolean
): Effect.Effect<void, Reason.Reason> =>
  topology.exchanges.length + topology.queues.length + topology.required.length === 0
    ? Effect.void
    : asking(link, live, (channel) =>
      Effect.gen(function*() {
        yield* declared ? declare(channel, topology) : look(channel, topology)
        for (const name of topology.required) yield* lookForExchange(channel, name)
      }))

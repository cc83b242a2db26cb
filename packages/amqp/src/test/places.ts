/**
 * Queues of a test's own, on the standard server or on one of its own.
 */
import { Proxy } from "@ergon/lab"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { type Channel, Connection } from "rabbitmq-client"

/** A client of the test itself, apart from what is tested. */
export const client = (port: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const connection = new Connection({ hostname: "127.0.0.1", port, retryLow: 200 })
      connection.on("error", () => {})
      await connection.onConnect()
      return connection
    }),
    (connection) => Effect.promise(() => connection.close().catch(() => {}))
  )

/** A channel for one question. */
export const withChannel = <A>(port: number, ask: (channel: Channel) => Promise<A>): Effect.Effect<A> =>
  Effect.scoped(Effect.flatMap(client(port), (connection) =>
    Effect.promise(async () => {
      const channel = await connection.acquire({ emitErrorsFromChannel: true })
      channel.on("error", () => {})
      try {
        return await ask(channel)
      } finally {
        await channel.close()
      }
    })))

/** A name that nobody else uses; the queues that begin with it are deleted with the scope. */
export const queueName = (port: number, also: ReadonlyArray<string> = []) =>
  Effect.acquireRelease(
    Effect.sync(() => `ergon-test-${randomUUID()}`),
    (name) =>
      withChannel(port, async (channel) => {
        for (const suffix of ["", ".dead", ...also]) await channel.queueDelete({ queue: `${name}${suffix}` })
      })
  )

/** Everything that waits in a queue, taken out. */
export const drained = (port: number, queue: string) =>
  withChannel(port, async (channel) => {
    const messages = []
    for (;;) {
      const message = await channel.basicGet({ queue, noAck: true })
      if (message === undefined) return messages
      messages.push(message)
    }
  })

/** Everything that waits in a queue, which stays there. */
export const seen = (port: number, queue: string) =>
  withChannel(port, async (channel) => {
    const messages = []
    for (;;) {
      const message = await channel.basicGet({ queue })
      if (message === undefined) return messages
      messages.push(message)
    }
  })

/** A proxy, and how all its connections are cut so that the client has seen it. */
export const cuttable = (port: number) =>
  Effect.map(Proxy.make(port), (proxy) => ({
    proxy,
    cut: Effect.andThen(proxy.cut, Effect.sleep("20 millis"))
  }))

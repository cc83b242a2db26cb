/**
 * The floor: rabbitmq-client itself on a quorum queue, confirms in batches, prefetch as Ergon's, one acknowledgement for
 * what piled up in a turn of the event loop.
 */
import { type Channel, Connection } from "rabbitmq-client"
import { batches, concurrency, type Contender, numberOf, payload, stopwatch, timed, workParsed } from "../contender.ts"

export const bare = async (url: string, queue: string): Promise<Contender> => {
  const connection = new Connection(url)
  const declare = async (): Promise<Channel> => {
    const channel = await connection.acquire()
    await channel.queueDeclare({ queue, durable: true, arguments: { "x-queue-type": "quorum" } })
    return channel
  }
  const publisher = await declare()
  await publisher.confirmSelect()
  const enqueue = (n: number) =>
    publisher.basicPublish(
      { routingKey: queue, durable: true, messageId: `p-${n}`, contentType: "application/json" },
      Buffer.from(JSON.stringify(payload(n)))
    )
  /** Tells the numbers of each batch that it acknowledges. */
  const consuming = async (began: () => void, settled: (numbers: ReadonlyArray<number>) => void) => {
    const channel = await declare()
    await channel.basicQos({ prefetchCount: 4 * concurrency })
    let piled: Array<number> = []
    let last = 0
    await channel.basicConsume({ queue }, (message) => {
      began()
      const { id } = workParsed(message.body)
      last = message.deliveryTag
      if (piled.push(numberOf(id)) > 1) return
      setImmediate(() => {
        const numbers = piled
        piled = []
        channel.basicAck({ deliveryTag: last, multiple: true })
        settled(numbers)
      })
    })
    return () => channel.close()
  }
  return {
    name: "bare rabbitmq-client",
    publish: (count) =>
      timed(async () => {
        for (const numbers of batches(count)) await Promise.all(numbers.map(enqueue))
      }),
    consume: async (count) => {
      const watch = stopwatch()
      const { promise, resolve } = Promise.withResolvers<number>()
      let done = 0
      const stop = await consuming(watch.first, (numbers) => {
        done += numbers.length
        if (done >= count) resolve(watch.milliseconds())
      })
      const took = await promise
      await stop()
      return took
    },
    enqueue,
    start: (settled) => consuming(() => {}, (numbers) => numbers.forEach((n) => settled(n))),
    close: async () => {
      await publisher.close()
      await connection.queueDelete(queue)
      await connection.close()
    }
  }
}

/**
 * The floor: rabbitmq-client itself on a quorum queue, confirms in batches, prefetch as Ergon's, one acknowledgement for
 * what piled up in a turn of the event loop.
 */
import { Connection } from "rabbitmq-client"
import { batches, concurrency, type Contender, payload, stopwatch, timed, work } from "../contender.ts"

export const bare = (url: string, queue: string): Contender => {
  const connection = new Connection(url)
  return {
    name: "bare rabbitmq-client",
    publish: (count) =>
      timed(async () => {
        await using channel = await open(connection, queue)
        await channel.confirmSelect()
        for (const numbers of batches(count, 256)) {
          await Promise.all(numbers.map((n) =>
            channel.basicPublish(
              { routingKey: queue, durable: true, messageId: `p-${n}` },
              Buffer.from(JSON.stringify(payload(n)))
            )
          ))
        }
      }),
    consume: async (count) => {
      const channel = await open(connection, queue)
      await channel.basicQos({ prefetchCount: 4 * concurrency })
      const watch = stopwatch()
      let done = 0
      let waiting = false
      let last = 0
      await new Promise<void>((resolve) => {
        void channel.basicConsume({ queue }, (message) => {
          watch.first()
          work(String(message.body))
          last = message.deliveryTag
          done++
          if (waiting) return
          waiting = true
          setImmediate(() => {
            waiting = false
            channel.basicAck({ deliveryTag: last, multiple: true })
            if (done >= count) resolve()
          })
        })
      })
      const took = watch.milliseconds()
      await channel.close()
      return took
    },
    close: async () => {
      await connection.queueDelete(queue)
      await connection.close()
    }
  }
}

const open = async (connection: Connection, queue: string) => {
  const channel = await connection.acquire()
  await channel.queueDeclare({ queue, durable: true, arguments: { "x-queue-type": "quorum" } })
  return Object.assign(channel, { [Symbol.asyncDispose]: () => channel.close() })
}

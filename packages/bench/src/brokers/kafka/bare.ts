/** The floor: @platformatic/kafka itself, one stream of a group, offsets committed for what piled up in a turn. */
import {
  Consumer,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers
} from "@platformatic/kafka"
import { batches, concurrency, type Contender, payload, stopwatch, timed, work } from "../contender.ts"
import { cap } from "./cap.ts"

export const bare = async (broker: string, topic: string): Promise<Contender> => {
  const producer = await cap(
    new Producer({
      clientId: "bare",
      bootstrapBrokers: [broker],
      serializers: stringSerializers,
      autocreateTopics: true
    })
  )
  let rounds = 0
  return {
    name: "bare @platformatic/kafka",
    publish: (count) =>
      timed(async () => {
        for (const numbers of batches(count, 256)) {
          await producer.send({
            messages: numbers.map((n) => ({
              topic: `${topic}-${rounds}`,
              key: `k-${n % 256}`,
              value: JSON.stringify(payload(n))
            })),
            acks: -1
          })
        }
      }),
    consume: async (count) => {
      const name = `${topic}-${rounds++}`
      const consumer = await cap(
        new Consumer({
          groupId: name,
          clientId: name,
          bootstrapBrokers: [broker],
          deserializers: stringDeserializers,
          autocommit: false,
          highWaterMark: 4 * concurrency
        })
      )
      const stream = await consumer.consume({
        topics: [name],
        mode: MessagesStreamModes.COMMITTED,
        fallbackMode: MessagesStreamFallbackModes.EARLIEST
      })
      const watch = stopwatch()
      let done = 0
      // One commit at a time, of the positions that were reached meanwhile.
      const reached = new Map<number, bigint>()
      let commits = Promise.resolve()
      let waiting = false
      const commit = () => {
        waiting = false
        const offsets = [...reached].map(([partition, offset]) => ({ topic: name, partition, offset, leaderEpoch: -1 }))
        reached.clear()
        return offsets.length === 0 ? undefined : consumer.commit({ offsets })
      }
      for await (const message of stream) {
        watch.first()
        work(message.value ?? "")
        reached.set(message.partition, message.offset + 1n)
        if (!waiting) {
          waiting = true
          commits = commits.then(commit)
        }
        if (++done === count) break
      }
      await commits.then(commit)
      const took = watch.milliseconds()
      await consumer.close(true)
      return took
    },
    close: () => producer.close()
  }
}

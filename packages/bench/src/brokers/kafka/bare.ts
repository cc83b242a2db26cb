/** The floor: @platformatic/kafka itself, one stream of a group, offsets committed for what piled up meanwhile. */
import { Kafka as Mock } from "@ergon/lab"
import {
  Consumer,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers
} from "@platformatic/kafka"
import { batches, concurrency, type Contender, numberOf, payload, stopwatch, timed, work } from "../contender.ts"

/** `topic` is the name of the group too. */
export const bare = async (broker: string, topic: string): Promise<Contender> => {
  const producer = new Producer({
    clientId: "bare",
    bootstrapBrokers: [broker],
    serializers: stringSerializers,
    autocreateTopics: true
  })
  await Mock.prepare(producer)
  const send = async (numbers: ReadonlyArray<number>): Promise<void> => {
    await producer.send({
      messages: numbers.map((n) => ({
        topic,
        key: `k-${n % 256}`,
        value: JSON.stringify(payload(n))
      })),
      acks: -1
    })
  }
  /** Tells the numbers of each commit. */
  const consuming = async (began: () => void, settled: (numbers: ReadonlyArray<number>) => void) => {
    const consumer = new Consumer({
      groupId: topic,
      clientId: "bare",
      bootstrapBrokers: [broker],
      deserializers: stringDeserializers,
      autocommit: false,
      highWaterMark: 4 * concurrency
    })
    await Mock.prepare(consumer)
    const stream = await consumer.consume({
      topics: [topic],
      mode: MessagesStreamModes.COMMITTED,
      fallbackMode: MessagesStreamFallbackModes.EARLIEST
    })
    // One commit at a time, of the positions that were reached meanwhile.
    const reached = new Map<number, bigint>()
    let piled: Array<number> = []
    let committing = Promise.resolve()
    const commit = async () => {
      const offsets = [...reached].map(([partition, offset]) => ({ topic, partition, offset, leaderEpoch: -1 }))
      const numbers = piled
      reached.clear()
      piled = []
      await consumer.commit({ offsets })
      settled(numbers)
    }
    const loop = async () => {
      for await (const message of stream) {
        began()
        reached.set(message.partition, message.offset + 1n)
        if (piled.push(numberOf(work(message.value ?? "").id)) === 1) committing = committing.then(commit)
      }
    }
    const running = loop()
    return async () => {
      await committing
      await consumer.close(true)
      await running
    }
  }
  return {
    name: "bare @platformatic/kafka",
    publish: (count) =>
      timed(async () => {
        for (const numbers of batches(count)) await send(numbers)
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
    enqueue: (n) => send([n]),
    start: (settled) => consuming(() => {}, (numbers) => numbers.forEach((n) => settled(n))),
    close: () => producer.close()
  }
}

import { Cluster, Kafka } from "@ergon/kafka"
import { Kafka as Mock } from "@ergon/lab"
import { Layer } from "effect"
import { type Contender, numberOf } from "../contender.ts"
import { ergon, Queued, Sent } from "../ergon.ts"
import type { System } from "../system.ts"
import { bare } from "./bare.ts"

/** The mock broker keeps a member that has left until its session ends: each run has a topic and a group of its own. */
const renewed = async (make: () => Promise<Contender>): Promise<Contender> => {
  let current = await make()
  const renew = async () => {
    await current.close()
    current = await make()
  }
  return {
    name: current.name,
    publish: (count) => current.publish(count),
    consume: async (count) => {
      const took = await current.consume(count)
      await renew()
      return took
    },
    enqueue: (n) => current.enqueue(n),
    start: async (settled) => {
      const stop = await current.start(settled)
      return async () => {
        await stop()
        await renew()
      }
    },
    close: () => current.close()
  }
}

/** A mock broker that listens on this port. */
export const kafka = (port: number): System => {
  const broker = `127.0.0.1:${port}`
  let topics = 0
  const ours = (topic: string) => {
    const cluster = Cluster.layer({
      brokers: [broker],
      autocreateTopics: true,
      prepare: Mock.prepare
    })
    const key = ({ id }: { readonly id: string }) => `k-${numberOf(id) % 256}`
    const layer = Layer.provide(Kafka.queue(Queued, { topic, group: topic, key }), cluster)
    const sent = Layer.provide(Kafka.sink(Sent, { topic, key }), cluster)
    return ergon(layer, sent, () => Promise.resolve())
  }
  return {
    name: "Kafka (mock)",
    ours,
    contenders: async () => [
      await renewed(() => bare(broker, `bare-${process.pid}-${topics++}`)),
      await renewed(() => Promise.resolve(ours(`ergon-${process.pid}-${topics++}`)))
    ],
    asked: undefined,
    goals: { "bare @platformatic/kafka": 0.7 }
  }
}

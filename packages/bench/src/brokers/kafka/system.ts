import { Cluster, Kafka } from "@ergon/kafka"
import { Layer } from "effect"
import { numberOf } from "../contender.ts"
import { ergon, Queued, Sent } from "../ergon.ts"
import type { System } from "../system.ts"
import { bare } from "./bare.ts"
import { cap } from "./cap.ts"

/** A mock broker that listens on this port. */
export const kafka = (port: number): System => {
  const broker = `127.0.0.1:${port}`
  return {
    name: "Kafka (mock)",
    contenders: async () => {
      const topic = `ergon-${Math.random().toString(36).slice(2)}`
      const cluster = Cluster.layer({
        brokers: [broker],
        autocreateTopics: true,
        prepare: async (client) => {
          await cap(client)
        }
      })
      const key = ({ id }: { readonly id: string }) => `k-${numberOf(id) % 256}`
      const layer = Layer.provide(Kafka.queue(Queued, { topic, group: topic, key }), cluster)
      const sent = Layer.provide(Kafka.sink(Sent, { topic, key }), cluster)
      return [await bare(broker, `bare-${topic}`), ergon(layer, sent, () => Promise.resolve())]
    },
    asked: undefined,
    goals: { "bare @platformatic/kafka": 0.7 }
  }
}

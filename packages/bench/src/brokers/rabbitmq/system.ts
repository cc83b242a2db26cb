import { Amqp, Broker } from "@ergon/amqp"
import { Layer } from "effect"
import { Connection } from "rabbitmq-client"
import { ergon, Queued, Sent } from "../ergon.ts"
import type { System } from "../system.ts"
import { bare } from "./bare.ts"

/** A RabbitMQ that runs on this port, with its guest. */
export const rabbitmq = (port: number): System => {
  const url = `amqp://guest:guest@127.0.0.1:${port}`
  const ours = (queue: string) => {
    const broker = Broker.layer({ url })
    const layer = Layer.provide(Amqp.queue(Queued, { queue, declare: true }), broker)
    const sent = Layer.provide(Amqp.sink(Sent, { queue, declare: true }), broker)
    return ergon(layer, sent, async () => {
      const connection = new Connection(url)
      await connection.queueDelete(queue)
      await connection.close()
    })
  }
  return {
    name: "RabbitMQ",
    ours,
    contenders: async () => [await bare(url, `bench-bare-${process.pid}`), ours(`bench-ergon-${process.pid}`)],
    // It pushes: an idle consumer asks nothing but heartbeats.
    asked: undefined,
    goals: { "bare rabbitmq-client": 0.85 }
  }
}

import { Redis, RedisClient } from "@ergon/redis"
import { Layer } from "effect"
import { createClient } from "redis"
import { ergon, Queued, Sent } from "../ergon.ts"
import type { System } from "../system.ts"
import { bare } from "./bare.ts"
import { bullmq } from "./bullmq.ts"

/** A Redis that runs on this port. */
export const redis = (port: number): System => {
  const url = `redis://127.0.0.1:${port}`
  const command = async (...args: ReadonlyArray<string>): Promise<unknown> => {
    const client = createClient({ url })
    await client.connect()
    try {
      return await client.sendCommand([...args])
    } finally {
      await client.close()
    }
  }
  const ours = (stream: string) => {
    const client = RedisClient.layer({ host: "127.0.0.1", port })
    const layer = Layer.provide(Redis.queue(Queued, { stream }), client)
    const sent = Layer.provide(Redis.sink(Sent, { stream }), client)
    return ergon(layer, sent, async () => {
      const keys = await command("KEYS", `*${stream}*`)
      if (Array.isArray(keys) && keys.length > 0) await command("DEL", ...keys.map(String))
    })
  }
  return {
    name: "Redis Streams",
    ours,
    contenders: async () => [
      await bare(url, `bench-bare-${process.pid}`),
      ours(`bench-ergon-${process.pid}`),
      bullmq(port, "best"),
      bullmq(port, "default")
    ],
    asked: async () => Number(/total_commands_processed:(\d+)/.exec(String(await command("INFO", "stats")))?.[1]),
    goals: { "bare redis": 0.5, "BullMQ, concurrency 64": 5 }
  }
}

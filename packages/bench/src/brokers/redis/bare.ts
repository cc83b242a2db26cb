/** The floor: `redis` itself, XREADGROUP of a batch, one XACK with XDEL for what it brought. */
import { createClient } from "redis"
import { batches, concurrency, type Contender, payload, stopwatch, timed, work } from "../contender.ts"

const batch = 4 * concurrency
const group = "bench"

export const bare = async (url: string, stream: string): Promise<Contender> => {
  const client = createClient({ url })
  await client.connect()
  await client.xGroupCreate(stream, group, "0", { MKSTREAM: true })
  return {
    name: "bare redis",
    publish: (count) =>
      timed(async () => {
        for (const numbers of batches(count, 256)) {
          await Promise.all(
            numbers.map((n) =>
              client.xAdd(stream, "*", { id: `p-${n}`, payload: JSON.stringify(payload(n)), metadata: "{}" })
            )
          )
        }
      }),
    consume: async (count) => {
      const watch = stopwatch()
      let done = 0
      while (done < count) {
        const found = await client.xReadGroup(group, "one", { key: stream, id: ">" }, { COUNT: batch, BLOCK: 1000 })
        const ids: Array<string> = []
        for (const { messages } of asStreams(found)) {
          for (const { id, message } of messages) {
            watch.first()
            JSON.parse(message["metadata"] ?? "")
            work(message["payload"] ?? "")
            ids.push(id)
          }
        }
        if (ids.length === 0) throw new Error(`nothing more came after ${done} of ${count}`)
        await Promise.all([client.xAck(stream, group, ids), client.xDel(stream, ids)])
        done += ids.length
      }
      return watch.milliseconds()
    },
    close: async () => {
      await client.del(stream)
      await client.close()
    }
  }
}

interface Stream {
  readonly messages: ReadonlyArray<{ readonly id: string; readonly message: Readonly<Record<string, string>> }>
}

const asStreams = (found: unknown): ReadonlyArray<Stream> => Array.isArray(found) ? found : []

/** The floor: `redis` itself, XREADGROUP of a batch, one XACK with XDEL for what it brought. */
import { createClient } from "redis"
import { batches, concurrency, type Contender, numberOf, payload, stopwatch, timed, work } from "../contender.ts"

// What Ergon has at once: as many as run, and as many again fetched ahead.
const batch = 2 * concurrency
const group = "bench"

interface Stream {
  readonly messages: ReadonlyArray<{ readonly id: string; readonly message: Readonly<Record<string, string>> }>
}

const asStreams = (found: unknown): ReadonlyArray<Stream> => Array.isArray(found) ? found : []

export const bare = async (url: string, stream: string): Promise<Contender> => {
  const client = createClient({ url })
  const reader = client.duplicate()
  await Promise.all([client.connect(), reader.connect()])
  await client.xGroupCreate(stream, group, "0", { MKSTREAM: true })
  const add = (n: number) =>
    client.xAdd(stream, "*", { id: `p-${n}`, payload: JSON.stringify(payload(n)), metadata: "{}" })
  /** The numbers of a batch, settled. Waits for a first one for 100 ms. */
  const next = async (began: () => void): Promise<ReadonlyArray<number>> => {
    const found = await reader.xReadGroup(group, "one", { key: stream, id: ">" }, { COUNT: batch, BLOCK: 100 })
    const ids: Array<string> = []
    const numbers: Array<number> = []
    for (const { messages } of asStreams(found)) {
      for (const { id, message } of messages) {
        began()
        JSON.parse(message["metadata"] ?? "")
        numbers.push(numberOf(work(message["payload"] ?? "").id))
        ids.push(id)
      }
    }
    if (ids.length > 0) await Promise.all([client.xAck(stream, group, ids), client.xDel(stream, ids)])
    return numbers
  }
  return {
    name: "bare redis",
    publish: (count) =>
      timed(async () => {
        for (const numbers of batches(count)) await Promise.all(numbers.map(add))
      }),
    consume: async (count) => {
      const watch = stopwatch()
      let done = 0
      while (done < count) done += (await next(watch.first)).length
      return watch.milliseconds()
    },
    enqueue: async (n) => {
      await add(n)
    },
    start: (settled) => {
      let stopped = false
      const loop = async () => {
        while (!stopped) (await next(() => {})).forEach((n) => settled(n))
      }
      const running = loop()
      return Promise.resolve(() => {
        stopped = true
        return running
      })
    },
    close: async () => {
      await client.del(stream)
      await Promise.all([client.close(), reader.close()])
    }
  }
}

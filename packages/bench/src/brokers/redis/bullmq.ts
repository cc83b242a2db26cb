/** BullMQ: at its defaults, and with as many jobs at once as Ergon, jobs removed as they complete. */
import { Queue, Worker } from "bullmq"
import { batches, concurrency, type Contender, numberOf, payload, stopwatch, timed, work } from "../contender.ts"

export const bullmq = (port: number, settings: "default" | "best"): Contender => {
  const connection = { host: "127.0.0.1", port }
  const name = `bench-${settings}-${process.pid}`
  const queue = new Queue(name, { connection })
  const best = settings === "best"
  const job = (n: number) => ({
    name: "noop",
    data: { text: JSON.stringify(payload(n)) },
    ...(best ? { opts: { removeOnComplete: true, removeOnFail: true } } : undefined)
  })
  const consuming = (began: () => void) =>
    new Worker<{ readonly text: string }>(
      name,
      (one) => {
        began()
        work(one.data.text)
        return Promise.resolve()
      },
      best ? { connection, concurrency } : { connection }
    )
  return {
    name: `BullMQ, ${best ? `concurrency ${concurrency}` : "defaults"}`,
    publish: (count) =>
      timed(async () => {
        for (const numbers of batches(count)) await queue.addBulk(numbers.map(job))
      }),
    consume: async (count) => {
      const watch = stopwatch()
      let done = 0
      const { promise, resolve } = Promise.withResolvers<number>()
      const worker = consuming(watch.first)
      worker.on("completed", () => {
        if (++done === count) resolve(watch.milliseconds())
      })
      const took = await promise
      await worker.close()
      return took
    },
    enqueue: async (n) => {
      const { data, name, opts } = job(n)
      await queue.add(name, data, opts)
    },
    start: (settled) => {
      const worker = consuming(() => {})
      worker.on("completed", (one) => settled(numberOf(work(one.data.text).id)))
      return Promise.resolve(() => worker.close())
    },
    close: async () => {
      await queue.obliterate({ force: true })
      await queue.close()
    }
  }
}

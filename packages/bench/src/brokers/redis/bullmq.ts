/** BullMQ: at its defaults, and with as many jobs at once as Ergon, jobs removed as they complete. */
import { Queue, Worker } from "bullmq"
import { batches, concurrency, type Contender, payload, stopwatch, timed, work } from "../contender.ts"

export const bullmq = (port: number, settings: "default" | "best"): Contender => {
  const connection = { host: "127.0.0.1", port }
  const name = `bench-${settings}-${process.pid}`
  const queue = new Queue(name, { connection })
  const best = settings === "best"
  return {
    name: `BullMQ, ${best ? `concurrency ${concurrency}` : "defaults"}`,
    publish: (count) =>
      timed(async () => {
        for (const numbers of batches(count, 256)) {
          await queue.addBulk(numbers.map((n) => ({
            name: "noop",
            data: { text: JSON.stringify(payload(n)) },
            ...(best ? { opts: { removeOnComplete: true, removeOnFail: true } } : undefined)
          })))
        }
      }),
    consume: async (count) => {
      const watch = stopwatch()
      let done = 0
      const { promise, resolve } = Promise.withResolvers<void>()
      const worker = new Worker<{ readonly text: string }>(
        name,
        (job) => {
          watch.first()
          work(job.data.text)
          return Promise.resolve()
        },
        best ? { connection, concurrency } : { connection }
      )
      worker.on("completed", () => {
        if (++done === count) resolve()
      })
      await promise
      const took = watch.milliseconds()
      await worker.close()
      return took
    },
    close: async () => {
      await queue.obliterate({ force: true })
      await queue.close()
    }
  }
}

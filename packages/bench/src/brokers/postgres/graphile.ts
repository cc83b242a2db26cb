/**
 * graphile-worker: `default` changes nothing but the number of concurrent jobs; `best` is its local queue, with
 * completions in batches, as its page on performance says.
 */
import { Logger, makeWorkerUtils, run, type Runner, type WorkerUtils } from "graphile-worker"
import { batches, concurrency, type Contender, numberOf, payload, stopwatch, timed, work } from "../contender.ts"

const silent = new Logger(() => () => {})

export const graphile = async (url: string, settings: "default" | "best"): Promise<Contender> => {
  const schema = `graphile_${settings}_${process.pid}`
  const utils: WorkerUtils = await makeWorkerUtils({ connectionString: url, schema, logger: silent })
  await utils.migrate()
  const job = (n: number) => ({ identifier: "noop", payload: { text: JSON.stringify(payload(n)) } })
  const consuming = (began: () => void): Promise<Runner> =>
    run({
      connectionString: url,
      schema,
      logger: silent,
      concurrency,
      noHandleSignals: true,
      ...(settings === "best"
        ? {
          preset: {
            worker: {
              connectionString: url,
              maxPoolSize: 10,
              concurrentJobs: concurrency,
              localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
              completeJobBatchDelay: 0,
              failJobBatchDelay: 0
            }
          }
        }
        : undefined),
      taskList: {
        noop: (one) => {
          began()
          work(textOf(one))
          return Promise.resolve()
        }
      }
    })
  return {
    name: `graphile-worker, ${settings === "best" ? "local queue" : "defaults"}`,
    publish: (count) =>
      timed(async () => {
        for (const numbers of batches(count)) await utils.addJobs(numbers.map(job))
      }),
    consume: async (count) => {
      const watch = stopwatch()
      let done = 0
      const { promise, resolve } = Promise.withResolvers<void>()
      const runner = await consuming(watch.first)
      runner.events.on("job:complete", () => {
        if (++done === count) resolve()
      })
      await promise
      // What it completes in batches is settled once it has stopped.
      await runner.stop()
      return watch.milliseconds()
    },
    enqueue: async (n) => {
      await utils.addJob("noop", job(n).payload)
    },
    start: async (settled) => {
      const runner = await consuming(() => {})
      runner.events.on("job:complete", ({ job }) => settled(numberOf(work(textOf(job.payload)).id)))
      return () => runner.stop()
    },
    close: async () => {
      await utils.withPgClient((client) => client.query(`DROP SCHEMA ${schema} CASCADE`))
      await utils.release()
    }
  }
}

const textOf = (job: unknown): string =>
  typeof job === "object" && job !== null && "text" in job && typeof job.text === "string" ? job.text : ""

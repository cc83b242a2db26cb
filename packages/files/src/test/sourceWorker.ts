/**
 * A process that moves a file to a JSONL sink, for tests that kill it or measure it:
 * `sourceWorker.ts <jsonl|csv> <from> <to|none>`. When it ends, it prints what it moved, and by how many bytes its memory
 * grew at most after the first 20,000 transactions. Run it with --expose-gc to leave garbage out of that.
 */
import { Connector, Task, Transaction } from "@ergon/core"
import { Effect, Layer, Schema } from "effect"
import * as process from "node:process"
import { Csv, Jsonl } from "../index.ts"
import { jsonlSink } from "../internal/sink/formats.ts"

class Rows extends Connector.Source<Rows>()("rows", Schema.Struct({ n: Schema.String, text: Schema.String })) {}
class Copies extends Connector.Sink<Copies>()("copies", Schema.String) {}

const [kind = "", path = "", to = "none"] = process.argv.slice(2)

let seen = 0
let base = { heap: 0, rss: 0 }
const grown = { heap: 0, rss: 0 }

/** Memory in bytes, without what is garbage. */
const measure = () => {
  globalThis.gc?.()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed + external, rss }
}

const watch = () => {
  seen++
  if (seen % 20_000 !== 0) return
  const now = measure()
  if (seen === 20_000) base = now
  grown.heap = Math.max(grown.heap, now.heap - base.heap)
  grown.rss = Math.max(grown.rss, now.rss - base.rss)
}

const task = Task.consumer("worker", Rows, ({ payload }) =>
  Effect.sync(() => {
    watch()
    return payload.n
  })).pipe(
    Task.dispatch(Copies, ({ id }, n) => to === "none" ? [] : Transaction.make(id, n)),
    Task.discardFailures,
    Task.policy({ loop: { concurrency: 64 } })
  )

const sink: Effect.Effect<Connector.SinkService, unknown, never> | ReturnType<typeof jsonlSink> = to === "none"
  ? Effect.succeed<Connector.SinkService>({ format: "json", dispatch: () => Effect.void })
  : jsonlSink(to, { envelope: true })

const { failed, succeeded } = await Effect.runPromise(Effect.provide(
  Task.run(task),
  Layer.mergeAll(
    kind === "csv" ? Csv.source(Rows, { path }) : Jsonl.source(Rows, { path }),
    Connector.layerSink(Copies, sink)
  )
))
process.stdout.write(`${JSON.stringify({ succeeded, failed, grown })}\n`)

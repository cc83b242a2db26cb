/**
 * A process that writes to a sink until it is killed: `sinkWorker.ts <jsonl|csv> <path> <confirmed>`. After each
 * confirmed batch it writes its number to the file of confirmed batches; a batch is 20 records of different lengths.
 */
import { type Connector, Transaction } from "@ergon/core"
import { Effect, Schema } from "effect"
import * as fs from "node:fs"
import { csvSink, jsonlSink } from "../internal/sink/formats.ts"

const Row = Schema.Struct({ batch: Schema.String, index: Schema.String, text: Schema.String })

const [kind = "", path = "", confirmed = "", from = "0"] = process.argv.slice(2)

const batchOf = (batch: number) =>
  Array.from({ length: 20 }, (_, index) =>
    Transaction.make(`${batch}-${index}`, {
      batch: `${batch}`,
      index: `${index}`,
      text: `"x",\r\n${"y".repeat((batch * 37 + index * 1009) % 5000)}`
    }))

const write = (sink: Connector.SinkService) =>
  Effect.gen(function*() {
    for (let batch = Number(from);; batch++) {
      yield* sink.dispatch(batchOf(batch))
      fs.appendFileSync(confirmed, `${batch}\n`)
    }
  })

await Effect.runPromise(
  Effect.scoped(
    Effect.flatMap(kind === "csv" ? csvSink(Row, path, undefined) : jsonlSink(path, { envelope: false }), write)
  )
)

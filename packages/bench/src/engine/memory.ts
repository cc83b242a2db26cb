/** Memory from the first tenth of a long run to its end: a leak of one object per transaction would show. */
import { Memory } from "@ergon/core"
import { Effect } from "effect"
import { atMost, type Goal, type Row } from "../report.ts"
import { ergon } from "./ergon.ts"
import { encoded, Payloads } from "./payload.ts"

const megabytes = (bytes: number): number => bytes / 1024 / 1024

const used = (): number => {
  globalThis.gc?.()
  return megabytes(process.memoryUsage().heapUsed)
}

export const flatness = async (
  count: number
): Promise<{ readonly rows: ReadonlyArray<Row>; readonly goal: Goal }> => {
  let early = 0
  let late = 0
  function* watched() {
    let n = 0
    for (const transaction of encoded(count)) {
      n++
      if (n === count / 10) early = used()
      if (n === count) late = used()
      yield transaction
    }
  }
  const program = Effect.flatMap(Payloads, ({ source }) => ergon(source, { loop: { concurrency: 64 } }))
  await Effect.runPromise(Effect.provide(program, Memory.sourceFrom(Payloads, watched, { history: 0 })))
  const unit = "MB of heap"
  return {
    rows: [
      { name: `heap after ${(count / 10).toLocaleString("en-US")} transactions`, value: early, unit },
      { name: `heap after ${count.toLocaleString("en-US")} transactions`, value: late, unit }
    ],
    goal: atMost("memory growth", late - early, unit, 5)
  }
}

import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { database, filename } from "./test/queues.ts"
import { again, check, namedTwice, Script } from "./test/scripts.ts"

const inFile = (keyed: boolean, script: typeof Script.Type) =>
  Effect.scoped(Effect.flatMap(filename, (file) => check(database(file), keyed, script)))

describe("two processes at one queue, under any script of calls and any passing of time", () => {
  it.effect.prop("are one simple queue", [Script], ([script]) => inFile(false, script), {
    arbitrary: { runs: 50, size: 40 },
    timeout: 60_000
  })
  it.effect.prop("are one simple queue, ordered by key", [Script], ([script]) => inFile(true, script), {
    arbitrary: { runs: 100, size: 40 },
    timeout: 60_000
  })
  it.effect.each([false, true])(
    "keep the order of a batch with an id whose retention is over (by key: %s)",
    (keyed) => inFile(keyed, again)
  )
  it.effect.each([false, true])(
    "put back once a dead letter that is named twice (by key: %s)",
    (keyed) => inFile(keyed, namedTwice)
  )
})

/** What happens to a collector in the middle of a run, and the run that it happens to. */
import { Program } from "@ergon/lab"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { pipeline, type Told } from "./pipeline.ts"

const receiver = fileURLToPath(new URL("./receiver.ts", import.meta.url))

export type Fault = "killed" | "frozen" | "slow"

export const faults: ReadonlyArray<Fault> = ["killed", "frozen", "slow"]

const strike = (fault: Fault | "healthy", collector: Program.Program): Effect.Effect<void> => {
  switch (fault) {
    case "healthy":
      return Effect.void
    case "killed":
      return Effect.asVoid(collector.kill)
    case "frozen":
      return collector.freeze
    case "slow":
      return collector.tell("slow")
  }
}

/** `count` transactions while this happens to the collector of their telemetry. */
export const runWith = (
  fault: Fault | "healthy",
  count: number,
  collect: () => void
): Effect.Effect<Told, unknown> =>
  Effect.gen(function*() {
    const collector = yield* Program.script(receiver)
    const line = yield* collector.says((line) => line.startsWith("port "))
    return yield* pipeline({
      count,
      port: Number(line.slice("port ".length)),
      fault: strike(fault, collector),
      collect
    })
  }).pipe(Effect.scoped)

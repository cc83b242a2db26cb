import { describe, it } from "@effect/vitest"
import { queue } from "../internal/conformance/harnesses.ts"
import { Conformance } from "./index.ts"

const laws = Conformance.queue({ ...queue(400), time: "live", patience: "2 seconds", quiet: "50 millis" })

describe("a queue in memory with leases, in real time", () => {
  it.live.each(Conformance.applying(laws))("$name", ({ check }) => check)
})

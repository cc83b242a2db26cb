import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Shutdown from "./shutdown.ts"

describe("Shutdown", () => {
  it.effect("the first request decides; each listener hears of it once, a late one at once", () =>
    Effect.gen(function*() {
      const begun: Array<Shutdown.Request> = []
      const { first, request, service } = Shutdown.make((asked) => begun.push(asked))
      const heard: Array<string> = []
      service.subscribe(() => heard.push("early"))
      service.subscribe(() => heard.push("taken away"))()
      assert.isFalse(yield* service.requested)
      yield* service.drain(1, "unhealthy")
      assert.isFalse(request({ code: 143, why: "SIGTERM", signal: true }))
      yield* service.drain(3, "again")
      service.subscribe(() => heard.push("late"))
      assert.isTrue(yield* service.requested)
      assert.deepStrictEqual(heard, ["early", "late"])
      assert.deepStrictEqual(begun, [{ code: 1, why: "unhealthy", signal: false }])
      assert.deepStrictEqual(first(), begun[0])
    }))
})

/** The entry of the threads of `offloadService.ts`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Offload } from "@ergon/node"
import * as Telemetry from "@ergon/core/Telemetry"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { appendFileSync, writeFileSync } from "node:fs"
import { threadId } from "node:worker_threads"
import { Crunch, Unlucky } from "./offloadService.ts"

const answer = (number: number) => ({ number, at: new Date(0), thread: threadId })

const spin = (millis: number): void => {
  const until = performance.now() + millis
  while (performance.now() < until);
}

Offload.serve(Crunch, ({ does, file, number }) => {
  switch (does) {
    case "spin":
      return Effect.sync(() => {
        spin(number)
        return answer(number)
      })
    case "loop":
      return Effect.sync(() => {
        for (;;);
      })
    case "exit":
      return Effect.sync(() => process.exit(number))
    case "fail":
      return Effect.fail(new Unlucky({ number }))
    case "die":
      return Effect.die(new TypeError(`no way with ${number}`))
    case "tell":
      return Effect.gen(function*() {
        const around = { headers: yield* Telemetry.headers, annotations: yield* References.CurrentLogAnnotations }
        writeFileSync(file!, JSON.stringify(around))
        return answer(number)
      })
    case "misfit":
      return Effect.succeed(answer(number + 0.5))
    case "wait":
      return Effect.as(Effect.sleep(number), answer(number)).pipe(
        Effect.onInterrupt(() => Effect.sync(() => appendFileSync(file!, "interrupted\n")))
      )
  }
}).pipe(NodeRuntime.runMain)

/**
 * The demo. It may be stopped and killed at any time: run again, it goes on where it was.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Control, Task } from "@ergon/core"
import { Console, Effect } from "effect"
import { clear, read, usage } from "./arguments.ts"
import { layers, load, profits } from "./pipeline.ts"
import { follow, number, waiting } from "./progress.ts"
import { report } from "./summary.ts"

const demo = Effect.fnUntraced(
  function*(folder: string) {
    const { fetched: films } = yield* Task.run(load)
    const left = yield* waiting
    if (left === 0) {
      return yield* Console.log(
        `Nothing to do: ${number(films)} films were processed before. npm run demo -- --fresh starts over.`
      )
    }
    yield* Console.log(`${number(films)} films are in ${folder}/movies.db, ${number(left)} of them to be done.`)
    const control = yield* Control.make
    const [summary] = yield* Effect.all([Task.run(profits, { control }), follow(control, films)], { concurrency: 2 })
    yield* report(summary, folder)
  },
  (effect, folder) => Effect.provide(effect, layers(folder)),
  Effect.onInterrupt(() =>
    Console.log("\nStopped in order: what ran is done, the rest is in the queue. Run it again to go on.")
  )
)

const options = read(process.argv.slice(2))
if ("problem" in options) {
  console.error(`${options.problem}\n\n${usage}`)
  process.exitCode = 2
} else {
  if (options.fresh) clear(options.out)
  NodeRuntime.runMain(demo(options.out))
}

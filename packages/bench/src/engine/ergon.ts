import { Connector, type Outcome, type Policy, Task } from "@ergon/core"
import { Effect } from "effect"
import { noop, Payloads } from "./payload.ts"

class Unlucky {
  readonly _tag = "Unlucky"
}

const unlucky = new Unlucky()

/** The engine itself, over the same source. With `failing` every hundredth first attempt fails. */
export const ergon = (
  source: Connector.SourceService,
  policy: Policy.Input,
  failing = false
): Effect.Effect<Outcome.Summary, unknown> => {
  let attempt = 0
  const program = failing ? () => ++attempt % 100 === 0 ? Effect.fail(unlucky) : Effect.void : noop
  return Task.run(Task.consumer("bench", Payloads, program).pipe(Task.policy(policy))).pipe(
    Effect.provide(Connector.layerSource(Payloads, Effect.succeed(source)))
  )
}

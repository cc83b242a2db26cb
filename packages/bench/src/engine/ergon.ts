import { Connector, type Outcome, type Policy, Task } from "@ergon/core"
import { Effect } from "effect"
import { noop, Payloads } from "./payload.ts"

class Unlucky {
  readonly _tag = "Unlucky"
}

const unlucky = new Unlucky()

/** A program of which every hundredth attempt fails. */
export const failing = (): () => Effect.Effect<void, Unlucky> => {
  let attempt = 0
  return () => ++attempt % 100 === 0 ? Effect.fail(unlucky) : Effect.void
}

/** The engine itself, over the same source. */
export const ergon = (
  source: Connector.SourceService,
  policy: Policy.Input,
  program: () => Effect.Effect<void, Unlucky> = noop
): Effect.Effect<Outcome.Summary, unknown> =>
  Task.run(Task.consumer("bench", Payloads, program).pipe(Task.policy(policy))).pipe(
    Effect.provide(Connector.layerSource(Payloads, Effect.succeed(source)))
  )

/**
 * Tests, as the text of a file for vitest: of a trial, and of a dead letter.
 */
import type { DeadLetter } from "../../DeadLetter.ts"
import type { Trial } from "../SimulationReport.ts"
import { replayOptions } from "./story.ts"

export const exportedTrial = (
  trial: Trial,
  { from, task, world }: { readonly task: string; readonly world: string; readonly from: string }
): string => {
  const rule = trial.violation === undefined ? "every rule holds" : trial.violation.rule
  return `import { assert, it } from "@effect/vitest"
import { Simulation } from "@ergon/core/testing"
import { Effect } from "effect"
import { ${task}, ${world} } from ${JSON.stringify(from)}

it.live(${JSON.stringify(`${rule}: seed ${trial.seed}`)}, () =>
  Effect.gen(function*() {
    const trial = yield* Simulation.replay(${task}, ${trial.seed}, {
      world: ${world},
      ${replayOptions(trial)}
    })
    assert.isUndefined(trial.violation, trial.violation?.text)
  }))
`
}

export const exportedLetter = (
  letter: DeadLetter,
  { from, layers, task }: { readonly task: string; readonly layers: string; readonly from: string }
): string =>
  `import { assert, it } from "@effect/vitest"
import { Task, Transaction } from "@ergon/core"
import { Effect } from "effect"
import { ${layers}, ${task} } from ${JSON.stringify(from)}

// It was given up: ${letter.reason.replaceAll("\n", " ")}
it.live(${JSON.stringify(`${letter.id} is processed`)}, () =>
  Effect.gen(function*() {
    const transaction = Transaction.make(
      ${JSON.stringify(letter.id)},
      ${JSON.stringify(letter.payload)},
      ${JSON.stringify(letter.metadata)}
    )
    const outcome = yield* Task.runJson(${task}, transaction)
    assert.strictEqual(outcome._tag, "succeeded")
  }).pipe(Effect.provide(${layers})))
`

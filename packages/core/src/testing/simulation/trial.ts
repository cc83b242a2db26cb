/**
 * One seed from beginning to end: processes that start, crash, are interrupted and start again, until every transaction
 * has come to its end at the source.
 *
 *     faulty processes (a few) -> calm processes (nothing goes wrong) -> every transaction has ended
 *           |                          |
 *           +--------------------------+-> a rule is broken: the trial ends there
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Trial } from "../SimulationReport.ts"
import { Process } from "./process.ts"
import { type How, Running, type Spec } from "./running.ts"
import { beginning } from "./time.ts"

const faultyProcesses = 3
const mostProcesses = 60
// What a calm process is given before it: leases run out, and what is delayed becomes due.
const pauses: ReadonlyArray<number> = [1_000, 60_000, 3_600_000]

export const trial = async (spec: Spec, seed: number, how: How): Promise<Trial> => {
  const running = new Running(spec, seed, how)
  const { facts, faults, history } = running
  const scope = Scope.makeUnsafe()
  const making = spec.places.map(({ make, transactions }) => {
    const { only } = how
    return { make, chosen: only === undefined ? transactions : transactions.filter(({ id }) => only.has(id)) }
  })
  for (const { chosen } of making) for (const { id } of chosen) history.known.add(id)
  const transactions = Array.from(history.known)
  const places = await running.finish(
    Scope.provide(Effect.all(making.map(({ chosen, make }) => make(chosen))), scope)
  )
  let idle = 0
  while (history.violation === undefined && running.processes < mostProcesses) {
    const n = ++running.processes
    faults.calm = n > faultyProcesses
    if (faults.calm) await running.pass(pauses[idle] ?? 0)
    const before = history.handed
    const ended = await new Process(running, n, spec.definition, places).run()
    if (history.violation !== undefined) break
    if (facts.producer ? ended !== "crashed" : history.open.length === 0) break
    if (!faults.calm || history.handed > before) {
      idle = 0
    } else if (++idle >= pauses.length) {
      if (ended === "ended" && facts.limit > 0) forgotten(running)
      break
    }
  }
  running.check(true)
  if (history.violation === undefined) await running.finish(Scope.close(scope, Exit.void))
  return {
    seed,
    violation: history.violation,
    script: faults.chosen,
    transactions,
    inOrder: how.inOrder,
    events: history.events,
    fingerprint: history.fingerprint(running.runnable.steps),
    processes: running.processes,
    steps: running.runnable.steps,
    elapsed: running.time.now - beginning,
    unfinished: history.open
  }
}

const forgotten = ({ history, processes }: Running): void => {
  const [id] = history.open
  if (id === undefined) return
  history.broken("none is forgotten", processes, id, "the source still has it, and nobody gets it any more")
}

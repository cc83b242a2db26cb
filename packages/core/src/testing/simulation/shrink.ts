/**
 * From a trial that broke a rule to the smallest one that still breaks it: in order if it can be, with fewer
 * transactions, with fewer faults, with smaller values.
 */
import type { Fault, Script } from "../SimulationFault.ts"
import type { Trial } from "../SimulationReport.ts"
import type { How, Spec } from "./running.ts"
import { trial } from "./trial.ts"

// As many trials are run at most.
const mostTrials = 400

/** `make` gives the same pipeline for every trial, with nothing left in it of the one before. */
export const shrink = async (make: () => Spec, first: Trial): Promise<Trial> => {
  let best = first
  let trials = 0

  const breaks = async (how: How): Promise<boolean> => {
    if (trials++ >= mostTrials) return false
    const result = await trial(make(), first.seed, how)
    if (result.violation?.rule !== first.violation?.rule) return false
    best = result
    return true
  }
  const how = (change: { script?: Script; only?: ReadonlyArray<string>; inOrder?: boolean }): How => ({
    faults: { script: change.script ?? best.script },
    only: new Set(change.only ?? best.transactions),
    inOrder: change.inOrder ?? best.inOrder
  })

  /** Leaves out as much of a list as can be left out: halves first, then one by one. */
  const reduce = async <A>(list: () => ReadonlyArray<A>, with_: (rest: ReadonlyArray<A>) => How): Promise<void> => {
    for (let size = Math.ceil(list().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < list().length;) {
        const rest = list().filter((_, index) => index < from || index >= from + size)
        if (!(await breaks(with_(rest)))) from += size
      }
    }
  }

  if (!(await breaks(how({})))) return first
  if (await breaks(how({ script: [], inOrder: true }))) return best
  await breaks(how({ inOrder: true }))
  const { violation } = first
  if (violation !== undefined && violation.transaction !== "") await breaks(how({ only: [violation.transaction] }))
  await reduce(() => best.transactions, (only) => how({ only }))
  await reduce(() => best.script, (script) => how({ script }))
  if (!best.inOrder) await breaks(how({ inOrder: true }))
  await reduce(() => best.transactions, (only) => how({ only }))
  for (let index = 0; index < best.script.length; index++)
    await smaller(() => best, index, (script) => breaks(how({ script })))
  return best
}

/** Halves the value of a fault for as long as it still breaks the rule. */
const smaller = async (
  best: () => Trial,
  index: number,
  breaks: (script: Script) => Promise<boolean>
): Promise<void> => {
  for (;;) {
    const { script } = best()
    const fault: Fault | undefined = script[index]
    if (fault === undefined || fault.value <= 1 || fault.kind === "clockSkew") return
    const value = Math.floor(fault.value / 2)
    if (!(await breaks(script.map((other, at) => at === index ? { ...other, value } : other)))) return
  }
}

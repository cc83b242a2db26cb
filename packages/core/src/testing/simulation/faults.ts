/**
 * Which fault happens where: by rates and the seed, or by a script. What has happened is kept, as the script that makes
 * it happen again.
 */
import { type Fault, type Kind, kinds, type Rates, type Script, type Step } from "../SimulationFault.ts"
import { chance, spread } from "./chance.ts"

// A connector gets better: nothing goes wrong any more at this attempt of the same step.
const mostAttempts = 5
// A whole batch fails with one of its elements: where redeliveries make batches grow, nothing would ever get through.
const mostFaults = 150

export const nameOf = (step: Step, transaction: string, delivery: number, attempt: number): string =>
  `${step}|${transaction}|${delivery}|${attempt}`

export class Faults {
  /** What has happened by now. */
  readonly chosen: Array<Fault> = []
  /** Nothing goes wrong any more. */
  calm = false
  private readonly met = new Set<string>()
  private readonly seed: number
  private readonly rates: Rates | undefined
  private readonly script: ReadonlyMap<string, Fault> | undefined

  constructor(seed: number, what: { readonly rates: Rates } | { readonly script: Script }) {
    this.seed = seed
    this.rates = "rates" in what ? what.rates : undefined
    this.script = "script" in what
      ? new Map(
        what.script.map((fault) => [nameOf(fault.step, fault.transaction, fault.delivery, fault.attempt), fault])
      )
      : undefined
  }

  /** What goes wrong here, if anything. */
  at(step: Step, transaction: string, delivery: number, attempt: number): Fault | undefined {
    if (this.calm || attempt > mostAttempts || this.met.size >= mostFaults) return undefined
    const fault = this.script === undefined
      ? this.byRate(step, transaction, delivery, attempt)
      : this.script.get(nameOf(step, transaction, delivery, attempt))
    if (fault === undefined) return undefined
    const name = nameOf(step, transaction, delivery, attempt)
    if (!this.met.has(name)) {
      this.met.add(name)
      this.chosen.push(fault)
    }
    return fault
  }

  /** How long a call takes that nothing is wrong with, in whole milliseconds. */
  latency(most: number, step: Step, transaction: string, delivery: number, attempt: number): number {
    if (most <= 0) return 0
    const part = chance(this.seed, "latency", step, transaction, delivery, attempt)
    return part < 0.5 ? 0 : Math.floor((part - 0.5) * 2 * (most + 1))
  }

  private byRate(step: Step, transaction: string, delivery: number, attempt: number): Fault | undefined {
    const rates: { readonly [K in Kind]?: number | undefined } | undefined = this.rates?.[step]
    if (rates === undefined) return undefined
    let left = chance(this.seed, step, transaction, delivery, attempt)
    for (const kind of kinds[step]) {
      const rate = rates[kind] ?? 0
      if (left < rate) {
        const value = valueOf(step, kind, chance(this.seed, "value", step, transaction, delivery, attempt))
        return { step, transaction, delivery, attempt, kind, value }
      }
      left -= rate
    }
    return undefined
  }
}

const valueOf = (step: Step, kind: Kind, part: number): number => {
  switch (kind) {
    // From a millisecond to half a minute, small ones as often as large ones.
    case "late":
      return spread(part, 15)
    case "leaseLost":
      return spread(part, 12) - 1
    case "surplus":
      return 1 + Math.floor(part * 3)
    case "crashes":
    case "interrupted":
      return step === "run" ? spread(part, 10) : 0
    case "clockSkew":
      return Math.floor(part * 1_048_576)
    default:
      return 0
  }
}

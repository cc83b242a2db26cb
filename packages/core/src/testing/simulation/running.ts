/**
 * What a trial is made of while it runs: the queue, the time, the faults and the history, and the loop that drives them.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { describe } from "../../Failure.ts"
import type { Definition } from "../../internal/definition.ts"
import type { Rates, Script } from "../SimulationFault.ts"
import { chance, Dice } from "./chance.ts"
import { type Facts, factsOf } from "./facts.ts"
import { Faults } from "./faults.ts"
import { History } from "./history.ts"
import { type Interleaving, ProcessScheduler, Runnable } from "./scheduler.ts"
import { Time } from "./time.ts"
import type { Making } from "./world.ts"

/** A rule of the user's own. It is looked at after every step, and once more at the end. */
export interface Rule {
  readonly name: string
  readonly check: (trial: Running, ended: boolean) => string | undefined
}

export interface Spec {
  readonly definition: Definition
  readonly places: ReadonlyArray<Making>
  readonly rules: ReadonlyArray<Rule>
  readonly latency: number
  /** The program may wait for what is outside of Effect: promises are given time. */
  readonly promises: boolean
}

export interface How {
  readonly faults: { readonly rates: Rates } | { readonly script: Script }
  /** First in, first out, without forced yields and without latency: for the shortest story. */
  readonly inOrder: boolean
  /** Only these transactions; all of them unless given. */
  readonly only: ReadonlySet<string> | undefined
}

const mostSteps = 100_000
const interleavings: ReadonlyArray<number> = [0, 0, 0.005, 0.02, 0.1, 0.3]

/** What a trial looks like while it runs. */
export class Running {
  readonly runnable = new Runnable()
  readonly time = new Time(this.runnable)
  readonly history = new History(this.time)
  readonly faults: Faults
  readonly facts: Facts
  readonly seed: number
  readonly spec: Spec
  readonly latency: number
  readonly interleaving: Interleaving
  readonly outside: Context.Context<never>
  private readonly dice: Dice
  processes = 0

  constructor(spec: Spec, seed: number, how: How) {
    this.spec = spec
    this.seed = seed
    this.facts = factsOf(spec.definition)
    this.faults = new Faults(seed, how.faults)
    this.dice = new Dice(seed, "order")
    const pick = Math.floor(chance(seed, "yields") * interleavings.length)
    this.interleaving = {
      yields: how.inOrder ? 0 : interleavings[pick] ?? 0,
      inOrder: how.inOrder || chance(seed, "fifo") < 0.1
    }
    this.latency = how.inOrder || chance(seed, "latency") < 0.3 ? 0 : spec.latency
    this.outside = this.surroundings(new ProcessScheduler(this.runnable, this.dice, { yields: 0, inOrder: false }))
  }

  private surroundings(scheduler: ProcessScheduler): Context.Context<never> {
    const dice = new Dice(this.seed, "outside")
    const random = { nextDoubleUnsafe: () => dice.next(), nextIntUnsafe: () => dice.below(2_147_483_648) }
    return Context.make(Scheduler.Scheduler, scheduler).pipe(
      Context.add(Clock.Clock, this.time.clock(undefined)),
      Context.add(Random.Random, random),
      Context.add(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>())
    ) as Context.Context<never>
  }

  /** Looks at the user's own rules. */
  check(ended = false): void {
    for (const rule of this.spec.rules) {
      const problem = rule.check(this, ended)
      if (problem !== undefined) this.history.broken(rule.name, 0, "", problem)
    }
  }

  /** Runs whatever can run, and lets time pass, until `done`. `false` when nothing is left that could happen. */
  async drive(done: () => boolean, until = Infinity): Promise<boolean> {
    const { history, runnable, time } = this
    while (!done()) {
      if (history.violation !== undefined) return true
      if (runnable.step(this.dice, this.interleaving.inOrder)) {
        if (this.spec.rules.length > 0) this.check()
        if (runnable.steps > mostSteps) {
          history.broken("a run comes to rest", this.processes, "", `${mostSteps} steps, and still something to do`)
        }
        continue
      }
      if (this.spec.promises) {
        await turn()
        if (runnable.waiting > 0) continue
      }
      if (time.next > until) return false
      if (!time.advance() && !(await this.somethingFromOutside())) return false
    }
    return true
  }

  /** Runs something outside of every process to its end. */
  async finish<A>(effect: Effect.Effect<A, unknown>): Promise<A> {
    const fiber = Effect.runForkWith(this.outside)(effect)
    await this.drive(() => fiber.pollUnsafe() !== undefined)
    const exit = fiber.pollUnsafe()
    if (exit === undefined) throw new Error("the simulated world did not answer")
    if (Exit.isSuccess(exit)) return exit.value
    throw new Error(`the simulated world failed: ${describe(Cause.squash(exit.cause)).message}`)
  }

  /** Lets this time pass. */
  async pass(millis: number): Promise<void> {
    const until = this.time.now + millis
    this.time.at(until, undefined, () => {})
    await this.drive(() => this.time.now >= until)
  }

  private async somethingFromOutside(): Promise<boolean> {
    if (!this.spec.promises) return false
    for (let n = 0; n < 20; n++) {
      await new Promise<void>((resume) => void setTimeout(resume, 5))
      if (this.runnable.waiting > 0) return true
    }
    return false
  }
}

/** Lets promises go on. */
const turn = (): Promise<void> =>
  new Promise<void>((resume) => void ("setImmediate" in globalThis ? setImmediate(resume) : setTimeout(resume, 0)))

/**
 * What the steps share: the compiled task, the clock, the counters, and the way a slot comes free again. `run.ts`
 * builds it; the steps only see this.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Disposition } from "../../Disposition.ts"
import type { Kind, Outcome } from "../../Outcome.ts"
import type { RunError } from "../../TaskError.ts"
import type { Gatherer, Route } from "./gather.ts"
import type { Item } from "./item.ts"
import type { Plan } from "./plan.ts"
import type { Signals } from "./signals.ts"
import type { Slot } from "./slot.ts"
import type { Tally } from "./tally.ts"
import type { Trace } from "./trace.ts"
import type { Watcher } from "./watcher.ts"

/** What it is built from. */
export interface EngineOptions {
  readonly plan: Plan
  readonly clock: Clock.Clock
  readonly trace: Trace | undefined
  // What every program of the task finds around it.
  readonly context: Context.Context<never>
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly sinks: ReadonlyArray<Route>
  readonly deadLetters: Route | undefined
  readonly observe: ((outcome: Outcome<unknown, unknown, unknown>) => void) | undefined
  // Whether whoever watches the outcomes is behind.
  readonly behind: () => boolean
  readonly ended: (error: RunError | undefined) => void
}

export interface Engine {
  readonly plan: Plan
  readonly watcher: Watcher
  readonly tally: Tally
  readonly signals: Signals
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  // One per sink of the task, in their order; and one for its dead letters.
  readonly sinks: ReadonlyArray<Gatherer>
  readonly deadLetters: Gatherer | undefined

  /** The slot's work is over: hands its item over to be settled, and frees the slot. */
  finish(slot: Slot, kind: Kind, disposition: Disposition): void
  /** The same for an item that the sink's database has settled already, in the commit of its results. */
  finishCommitted(slot: Slot): void
  /** The delivery is no longer ours: no settlement, no further routing. */
  redeliver(slot: Slot, why: string): void
  /** The slot was cut off where no fiber's exit tells it. */
  cutOff(slot: Slot): void
  /** Ends the run with this error, after what runs now. */
  abort(slot: Slot, error: RunError): void
  /** Starts whatever can start. */
  pump(): void
  /** Runs something soon, after what happens in this tick, together with everything else that is asked for soon. */
  soon(task: () => void): void
  /** Logs it, below the span of the item where it is about one. */
  warn(message: string, annotations: Record<string, unknown>, item?: Item): void
}

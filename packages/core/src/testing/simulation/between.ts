/**
 * What stands between the engine of one process and the connectors of the simulated world: every call is watched, and
 * the faults that the seed has chosen happen here.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Failed } from "../../ConnectorError.ts"
import { ConnectionLost, InvalidRequest, type Reason } from "../../Reason.ts"
import type { Fault, Kind } from "../SimulationFault.ts"
import type { Faults } from "./faults.ts"
import type { History } from "./history.ts"
import type { ProcessScheduler } from "./scheduler.ts"
import type { Time } from "./time.ts"
import type { Watch } from "./watch.ts"

export interface Between {
  readonly watch: Watch
  readonly history: History
  readonly faults: Faults
  readonly time: Time
  readonly scheduler: ProcessScheduler
  /** Calls that can't be interrupted, and go on. */
  readonly resisting: { count: number }
  /** The longest a call takes that nothing is wrong with, in milliseconds. */
  readonly latency: number
  /** Ends the process at once, as a `kill -9` does. */
  readonly crash: (why: string) => void
  /** Runs outside of the process, and so to its end even when the process crashes. */
  readonly outside: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<Exit.Exit<A, E>>
  /** Where that runs. */
  readonly context: Context.Context<never>
  /** The source takes back whatever is held of it, where it does so all at once. */
  readonly cut: Effect.Effect<void, unknown> | undefined
  /** The source closes its connection to this process. */
  readonly close: Effect.Effect<void>
}

const unreachable = new ConnectionLost({ message: "the simulation has cut the connection" })
const unanswered = new ConnectionLost({ message: "the simulation has lost the answer" })
const refused = new InvalidRequest({ message: "the simulation refuses it" })

/** Why a call fails with this fault; `undefined` for one that does not fail. */
export const reasonOf = (kind: Kind): Reason | undefined =>
  kind === "fails" || kind === "failsInPart"
    ? unreachable
    : kind === "failsAfter"
    ? unanswered
    : kind === "refused"
    ? refused
    : undefined

// What happens to a batch when something is wrong with several of it.
const weight: { readonly [K in Kind]?: number } = {
  crashes: 9,
  hangs: 8,
  dies: 7,
  fails: 6,
  crashesAfter: 5,
  hangsAfter: 4,
  failsAfter: 3
}

/** The fault that decides about the whole of a batch. */
export const decisive = (faults: ReadonlyArray<Fault | undefined>): Fault | undefined => {
  let worst: Fault | undefined
  for (const fault of faults) {
    if (fault !== undefined && (weight[fault.kind] ?? 0) > (worst === undefined ? 0 : weight[worst.kind] ?? 0)) {
      worst = fault
    }
  }
  return worst
}

/** Those of a batch that fail by themselves. */
export const inPart = (faults: ReadonlyArray<Fault | undefined>): ReadonlyArray<Failed> =>
  faults.flatMap((fault, index) => {
    const reason = fault?.kind === "failsInPart" || fault?.kind === "refused" ? reasonOf(fault.kind) : undefined
    return reason === undefined ? [] : [{ index, reason }]
  })

/** How much later than at once a batch is answered. */
export const lateness = (faults: ReadonlyArray<Fault | undefined>, latency: number): number =>
  faults.reduce((most, fault) => fault?.kind === "late" ? Math.max(most, fault.value) : most, latency)

export const after = <A, E>(millis: number, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  millis <= 0 ? effect : Effect.andThen(Effect.sleep(Duration.millis(millis)), effect)

/** Something and its answer are one step: nothing else of the process happens in between. */
export const atOnce = <A, E>(between: Between, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    between.scheduler.undivided = true
    return effect
  })

/** A call with a fault: the crash, the silence or the defect before it, itself, and what comes after it. */
export const faulty = <A, E>(
  between: Between,
  fault: Fault | undefined,
  where: string,
  call: Effect.Effect<A, E>,
  fail: (
    reason: Reason
  ) => E
): Effect.Effect<A, E> => {
  if (fault === undefined) return call
  const crash = Effect.suspend(() => {
    between.crash(`${fault.kind === "crashes" ? "before" : "after"} ${where}`)
    return Effect.never
  })
  const reason = reasonOf(fault.kind)
  switch (fault.kind) {
    case "crashes":
      return crash
    case "crashesAfter":
      return Effect.andThen(Effect.exit(call), crash)
    case "hangs":
      return Effect.never
    case "hangsAfter":
      return Effect.andThen(Effect.exit(call), Effect.never)
    case "dies":
      return Effect.die(new Error("the simulation makes the connector throw"))
    case "fails":
      return reason === undefined ? call : Effect.fail(fail(reason))
    case "failsAfter":
      return reason === undefined ? call : Effect.andThen(Effect.exit(call), Effect.fail(fail(reason)))
    default:
      return call
  }
}

/**
 * A law of sources before it meets a harness: when it applies, and what it checks in a trial. The reasons why a law does
 * not apply stand here once.
 */
import type * as Harness from "../../testing/Harness.ts"
import type { SourceLawName } from "../../testing/Law.ts"
import type { Check, Trial } from "./trial.ts"

export interface SourceLaw {
  readonly name: SourceLawName
  readonly applies: (harness: Harness.Source) => true | string
  readonly check: (trial: Trial) => Check<void>
}

type Condition = (harness: Harness.Source) => true | string

/** All of the conditions; the first reason not to counts. */
export const all = (...conditions: ReadonlyArray<Condition>): Condition => (harness) => {
  for (const condition of conditions) {
    const applies = condition(harness)
    if (applies !== true) return applies
  }
  return true
}

export const always: Condition = () => true

export const settles: Condition = ({ capabilities }) =>
  capabilities.settlement !== "none" || "the source settles nothing: it forgets what it handed over"

export const settlesEach: Condition = ({ capabilities }) =>
  capabilities.settlement === "each" ||
  (capabilities.settlement === "watermark"
    ? "the source commits positions: it is told only that everything up to one is done"
    : "the source settles nothing: it forgets what it handed over")

export const commits: Condition = ({ capabilities }) =>
  capabilities.settlement === "watermark" || "the source commits no positions"

export const delays: Condition = ({ capabilities }) =>
  capabilities.requeueDelay === "native" || "the engine holds a delayed requeue for this source"

export const buries: Condition = ({ capabilities }) =>
  capabilities.deadLetter === "native" || "the source keeps no dead letters: a task needs a dead-letter sink"

export const leases: Condition = ({ capabilities }) =>
  capabilities.lease !== undefined || "a delivery is ours for as long as the connector lives"

export const extendsLeases: Condition = ({ capabilities }) =>
  capabilities.lease === undefined
    ? "a delivery is ours for as long as the connector lives"
    : capabilities.lease.extend || "the source cannot extend a lease"

export const has = (operation: Harness.Source["operations"][number]): Condition => ({ operations }) =>
  operations.includes(operation) || missing[operation]

const missing: { readonly [O in Harness.Source["operations"][number]]: string } = {
  count: "the source has no count",
  resolve: "the source has no resolve",
  isHeld: "the source has no isHeld",
  letters: "the source's dead letters cannot be read",
  putBack: "the source puts no dead letters back",
  takeBack: "the source takes nothing back"
}

export const can = (ability: Harness.Source["can"][number]): Condition => (harness) =>
  harness.can.includes(ability) || `the harness cannot ${abilities[ability]}`

const abilities: { readonly [A in Harness.Source["can"][number]]: string } = {
  crash: "end a connector abruptly",
  cut: "cut the connection",
  buried: "read the dead letters"
}

/** A delivery can be lost: its lease can run out, or the connection that it depends on can be cut. */
export const losesDeliveries: Condition = all(
  settles,
  (harness) =>
    harness.capabilities.lease !== undefined || harness.can.includes("cut") ||
    "a delivery is ours for as long as the connector lives, and the harness cannot cut its connection"
)

export const pushes: Condition = ({ prefetch }) => prefetch !== undefined || "nothing is pushed: there is no prefetch"

export const ordered = (ordering: "byKey" | "total"): Condition => ({ capabilities }) =>
  capabilities.ordering === ordering ||
  (capabilities.ordering === "none"
    ? "the source keeps no order"
    : capabilities.ordering === "total"
    ? "the source keeps one order for all"
    : "the source keeps an order for each key only")

/**
 * What can go wrong in a simulation: the kinds of faults per step, how often each happens, and a script that says
 * exactly which ones happen.
 *
 * A fault is chosen by the seed and the name of the place (step, transaction, hand-over, attempt), never by how often
 * chance was asked before: a change to a program that keeps its outcomes meets the same faults.
 *
 * @since 0.1.0
 */

/**
 * What can go wrong at each step.
 *
 * **Details**
 * - `fetch`: `fails` or `hangs`; hands over `surplus`, more than it was asked for; `closes`: the source closes the
 *   connection, what was handed over comes back and later fetches fail.
 * - `deliver`, one delivery on its way: `doubled` (handed over twice), `reordered` (after those that came with it), `late`,
 *   `undecodable` (arrives broken), `leaseLost` (taken back by the source while it is being worked on).
 * - `extend`, of a lease: `fails` or `hangs`.
 * - `process`: the process `crashes` as the program begins.
 * - `dispatch`, also of a dead letter, and `settle`: `fails` without effect for the whole batch, `failsInPart` for this
 *   one alone, `failsAfter` it has taken effect, is `refused` (not retryable), `hangs`, `hangsAfter` it has taken effect,
 *   `dies` with a defect, is `late`; the process `crashes` before it or `crashesAfter` it has taken effect.
 * - `run`, once per process: it `crashes` or is `interrupted` at any scheduling point, or its clock is off (`clockSkew`).
 *
 * @category models
 * @since 0.1.0
 */
export const kinds = {
  fetch: ["fails", "hangs", "surplus", "closes", "late"],
  deliver: ["doubled", "reordered", "late", "undecodable", "leaseLost"],
  extend: ["fails", "hangs"],
  process: ["crashes"],
  dispatch: [
    "fails",
    "failsInPart",
    "failsAfter",
    "refused",
    "hangs",
    "hangsAfter",
    "dies",
    "late",
    "crashes",
    "crashesAfter"
  ],
  settle: [
    "fails",
    "failsInPart",
    "failsAfter",
    "refused",
    "hangs",
    "hangsAfter",
    "dies",
    "late",
    "crashes",
    "crashesAfter"
  ],
  run: ["crashes", "interrupted", "clockSkew"]
} as const

/**
 * A step at which something can go wrong.
 *
 * @category models
 * @since 0.1.0
 */
export type Step = keyof typeof kinds

/**
 * A kind of fault, of any step.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = (typeof kinds)[Step][number]

/**
 * One fault at one place.
 *
 * **Details**
 * - `transaction`: the id; for a fetch that of the last delivery before it, for `dispatch` that of what is sent; empty
 *   for `run` and for what comes before the first delivery.
 * - `delivery`: which hand-over of it, from 0; for `run` which process.
 * - `attempt`: of this step, from 1.
 * - `value`: milliseconds of a `late` or `leaseLost`, how many of a `surplus`, the scheduling point of a `run` that
 *   `crashes` or is `interrupted`; 0 for the others.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  readonly step: Step
  readonly transaction: string
  readonly delivery: number
  readonly attempt: number
  readonly kind: Kind
  readonly value: number
}

/**
 * Exactly the faults that happen; nothing else goes wrong.
 *
 * @category models
 * @since 0.1.0
 */
export type Script = ReadonlyArray<Fault>

/**
 * How often each fault happens at each place where it could: 0 never, 1 always. What is left out never happens.
 *
 * @category models
 * @since 0.1.0
 */
export type Rates = { readonly [S in Step]?: { readonly [K in (typeof kinds)[S][number]]?: number | undefined } }

/**
 * Nothing goes wrong: only the order of things is the seed's.
 *
 * @category rates
 * @since 0.1.0
 */
export const none: Rates = {}

/**
 * Everything, each at a rate at which most runs still get something done.
 *
 * @category rates
 * @since 0.1.0
 */
export const everything: Rates = {
  fetch: { fails: 0.05, hangs: 0.01, surplus: 0.05, closes: 0.01, late: 0.05 },
  deliver: { doubled: 0.03, reordered: 0.05, late: 0.05, undecodable: 0.03, leaseLost: 0.04 },
  extend: { fails: 0.1, hangs: 0.1 },
  process: { crashes: 0.01 },
  dispatch: {
    fails: 0.05,
    failsInPart: 0.05,
    failsAfter: 0.04,
    refused: 0.02,
    hangs: 0.02,
    hangsAfter: 0.02,
    dies: 0.01,
    late: 0.05,
    crashes: 0.01,
    crashesAfter: 0.01
  },
  settle: {
    fails: 0.05,
    failsInPart: 0.05,
    failsAfter: 0.04,
    refused: 0.02,
    hangs: 0.02,
    hangsAfter: 0.02,
    dies: 0.01,
    late: 0.05,
    crashes: 0.01,
    crashesAfter: 0.01
  },
  run: { crashes: 0.15, interrupted: 0.25, clockSkew: 0.1 }
}

/**
 * What a network and a restart do, without anything broken or refused: every transaction is expected to get through.
 *
 * @category rates
 * @since 0.1.0
 */
export const network: Rates = {
  fetch: { fails: 0.05, late: 0.1 },
  deliver: { doubled: 0.03, reordered: 0.05, late: 0.1 },
  extend: { fails: 0.05 },
  dispatch: { fails: 0.05, failsAfter: 0.05, late: 0.1 },
  settle: { fails: 0.05, failsAfter: 0.05, late: 0.1 },
  run: { crashes: 0.2, interrupted: 0.2 }
}

/**
 * One delivery as a process got it, and what was seen of it: by the task's functions, by the sinks, and by the source.
 */
import type { Delivery } from "../../Delivery.ts"
import type { Disposition } from "../../Disposition.ts"

/** How a program ended. */
export interface Ended {
  readonly at: number
  readonly succeeded: boolean
  // It failed with an error of its own type.
  readonly typed: boolean
  readonly defect: boolean
}

export interface Handover {
  // In the order of this process, and which hand-over of this transaction it is, over all processes.
  readonly order: number
  readonly nth: number
  readonly id: string
  // As the engine has it, and as the source gave it.
  readonly delivery: Delivery
  readonly original: Delivery
  readonly at: number
  // When its lease runs out, in true time.
  leaseUntil: number
  readonly undecodable: boolean
  // Its schema answers at once.
  readonly prompt: boolean
  // The same hand-over was delivered twice.
  readonly doubled: boolean
  // The source takes it back at this time.
  lostAt: number
  // The process was told that it is not its own any more.
  toldLost: number | undefined
  // It was told so while its leases were extended.
  lostWhileRunning: boolean
  // The source has answered in a way that allows it to be handed over again.
  uncertain: boolean

  // How often it was known to be requeued when it was handed over.
  requeued: number
  key: string | undefined
  begun: number | undefined
  attempts: number
  // When the newest attempt began.
  attemptAt: number
  runs: number
  active: number
  scopes: number
  last: Ended | undefined
  decision: string | undefined
  retryAfter: number | undefined
  succeeded: boolean
  outputs: Map<string, "sent" | "confirmed"> | undefined
  lastConfirmed: number
  successes: number
  successDone: boolean
  hooks: number
  hookAnswer: string | undefined
  hookFailed: boolean
  letter: boolean
  // Something failed: it may be given up, or go back.
  troubled: boolean

  asked: Disposition["_tag"] | undefined
  tries: number
  extensions: number
  told: boolean
  outcome: string | undefined
}

export const make = (
  given: Pick<
    Handover,
    "order" | "nth" | "delivery" | "original" | "at" | "leaseUntil" | "undecodable" | "prompt" | "doubled" | "lostAt"
  >
): Handover => ({
  ...given,
  id: given.delivery.transaction.id,
  toldLost: undefined,
  lostWhileRunning: false,
  uncertain: false,
  requeued: 0,
  key: undefined,
  begun: undefined,
  attempts: 0,
  attemptAt: 0,
  runs: 0,
  active: 0,
  scopes: 0,
  last: undefined,
  decision: undefined,
  retryAfter: undefined,
  succeeded: false,
  outputs: undefined,
  lastConfirmed: -Infinity,
  successes: 0,
  successDone: false,
  hooks: 0,
  hookAnswer: undefined,
  hookFailed: false,
  letter: false,
  troubled: false,
  asked: undefined,
  tries: 0,
  extensions: 0,
  told: false,
  outcome: undefined
})

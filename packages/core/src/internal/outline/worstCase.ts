/**
 * The longest that things can take, computed from the policy: the rules of the engine, as sums.
 *
 *     process      maxAttempts x timeout + the waits between; without an end when decisions may name waits of their own
 *     dispatch     no bound of its own: a sink that cannot be reached is tried until the deadline
 *     success      as process
 *     work         min(transaction.timeout, process + dispatch + success)
 *     exception    of `Task.onFailure` as process; and for a dead-letter sink 2 x exception.timeout: tries begin for one
 *                  timeout, and the last of them has its own
 *     settle       transaction.timeout + 2 x settle.timeout: the first try, tries that begin within the deadline after
 *                  it, and the last of them
 *     transaction  work + exception + settle
 *     deliveries   (transaction.maxDeliveries + 1) x transaction, and the dead letter and its settlement
 *     drain        shutdown.grace + shutdown.close
 *     first        the longest wait between two empty fetches + fetch.timeout
 *
 * Times are whole milliseconds, as the clock of the engine counts them; `Infinity` is no bound.
 */
import * as Duration from "effect/Duration"
import type { Bound, WorstCase } from "../../Outline.ts"
import type * as Policy from "../../Policy.ts"
import type { Definition } from "../definition.ts"
import { longestWait, longestWaits } from "../policy/schedule.ts"

export interface StepBounds {
  readonly process: Bound
  readonly dispatch: Bound
  readonly success: Bound
  readonly exception: Bound
  readonly settle: Bound
}

interface Part {
  readonly millis: number
  readonly formula: string
  // Any one of these fields would bound it, if it has no bound.
  readonly missing: ReadonlyArray<string>
}

const nothing: Part = { millis: 0, formula: "", missing: [] }

const deadline = "transaction.timeout"

const millisOf = (duration: Duration.Duration): number => Math.ceil(Duration.toMillis(duration))

const bound = ({ formula, millis, missing }: Part): Bound => ({
  time: Duration.millis(millis),
  formula: formula === "" ? "nothing to do" : formula,
  missing: millis === Infinity ? missing : []
})

const plus = (...parts: ReadonlyArray<Part>): Part => ({
  millis: parts.reduce((sum, part) => sum + part.millis, 0),
  formula: parts.map((part) => part.formula).filter((formula) => formula !== "").join(" + "),
  missing: parts.find((part) => part.millis === Infinity)?.missing ?? []
})

/** What is worked out already, by its name. */
const as = (name: string, part: Part): Part => part.millis === 0 ? nothing : { ...part, formula: name }

/** All tries of a step, and the waits between them. */
const tries = (name: "process" | "success" | "exception", { retry, timeout }: Policy.StepPolicy): Part => {
  const waits = longestWaits(retry)
  const attempts = retry.maxAttempts === 1 ? "" : `${name}.retry.maxAttempts x `
  return {
    millis: retry.maxAttempts * millisOf(timeout) + waits,
    formula: `${attempts}${name}.timeout${waits === 0 ? "" : ` + ${name}.retry waits`}`,
    missing: [`${name}.timeout`, deadline]
  }
}

/** The deadline cuts it. */
const within = (timeout: number, part: Part): Part =>
  part.millis < timeout ? part : { millis: timeout, formula: deadline, missing: part.missing }

const partsOf = (definition: Definition, policy: Policy.Policy) => {
  const timeout = millisOf(policy.transaction.timeout)
  const untilDeadline: Part = { millis: timeout, formula: deadline, missing: [deadline] }
  const namesWaits = definition.decide !== undefined && policy.process.retry.maxAttempts > 1
  const process = namesWaits ? untilDeadline : within(timeout, tries("process", policy.process))
  const dispatch = definition.sinks.length === 0 ? nothing : untilDeadline
  const success = definition.onSuccess === undefined ? nothing : within(timeout, tries("success", policy.success))
  const hook = definition.onFailure === undefined ? nothing : tries("exception", policy.exception)
  const toSink = definition.deadLetter !== undefined && definition.deadLetter !== "discard"
  const deadLetter: Part = toSink
    ? { millis: 2 * millisOf(policy.exception.timeout), formula: "2 x exception.timeout", missing: [] }
    : nothing
  const settle: Part = definition.from._tag === "stream" ? nothing : {
    millis: timeout + 2 * millisOf(policy.settle.timeout),
    formula: `${deadline} + 2 x settle.timeout`,
    missing: [deadline]
  }
  const work = { ...within(timeout, plus(process, dispatch, success)), missing: [deadline] }
  return { process, dispatch, success, hook, deadLetter, settle, work }
}

/** Between two fetches of an idle source; a batch that was not empty is followed by its interval. */
const pauseOf = ({ fetch, loop }: Policy.Policy): Part => {
  const empty = Math.ceil(longestWait(fetch.empty))
  const interval = loop.mode === "batch" ? millisOf(fetch.batch.interval) : 0
  return interval > empty
    ? { millis: interval, formula: "fetch.batch.interval", missing: [] }
    : { millis: empty, formula: fetch.empty.multiplier === 1 ? "fetch.empty.backoff" : "fetch.empty.cap", missing: [] }
}

const firstDelivery = (definition: Definition, policy: Policy.Policy): Bound | undefined =>
  definition.from._tag === "source" && policy.loop.streaming
    ? bound(
      plus(pauseOf(policy), { millis: millisOf(policy.fetch.timeout), formula: "fetch.timeout", missing: [] })
    )
    : undefined

/** What a drain takes: the same for whatever is run. */
export const drain = ({ shutdown }: Policy.Policy): Bound =>
  bound({
    millis: millisOf(shutdown.grace) + millisOf(shutdown.close),
    formula: "shutdown.grace + shutdown.close",
    missing: []
  })

export const bounds = (
  definition: Definition,
  policy: Policy.Policy
): { readonly steps: StepBounds; readonly worstCase: WorstCase } => {
  const { deadLetter, dispatch, hook, process, settle, success, work } = partsOf(definition, policy)
  const exception = plus(hook, deadLetter)
  const transaction = plus(as("work", work), as("exception", exception), as("settle", settle))
  const deliveries = plus(
    {
      millis: (policy.transaction.maxDeliveries + 1) * transaction.millis,
      formula: "(transaction.maxDeliveries + 1) x transaction",
      missing: transaction.missing
    },
    as("dead letter", deadLetter),
    as("settle", settle)
  )
  return {
    steps: {
      process: bound(process),
      dispatch: bound(dispatch),
      success: bound(success),
      exception: bound(exception),
      settle: bound(settle)
    },
    worstCase: {
      work: bound(work),
      transaction: bound(transaction),
      deliveries: bound(deliveries),
      drain: drain(policy),
      firstDelivery: firstDelivery(definition, policy)
    }
  }
}

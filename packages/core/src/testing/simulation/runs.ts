/**
 * The rules about a run as a whole: it ends, in time, with everything told and nothing left.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { describe } from "../../Failure.ts"
import type { Summary } from "../../Outcome.ts"
import { LoopTimeout, ProducerFailed, TaskRefused } from "../../TaskError.ts"
import type { Watch } from "./watch.ts"

/** A run has come to its end by itself or by an interruption. */
export const ended = (watch: Watch, exit: Exit.Exit<Summary, unknown>): void => {
  if (watch.dead) return
  const took = watch.now() - watch.startedAt
  watch.tell(undefined, `the run ends after ${took} ms: ${said(exit)}`, "task", "task")
  for (const one of watch.handovers) {
    // What a stream had ready and nobody took when its run was told to stop.
    if (watch.facts.producer && one.begun === undefined && stopped(watch)) continue
    if (one.outcome === undefined)
      watch.broken("none is forgotten", one, "the run ended without saying what became of it")
  }
  if (Exit.isSuccess(exit)) {
    counted(watch, exit.value)
    emptied(watch)
  } else failed(watch, exit.cause)
}

const stopped = ({ drainingSince, facts: { limit, loopTimeout }, handovers, now, startedAt }: Watch): boolean =>
  drainingSince !== undefined || now() >= startedAt + loopTimeout || handovers.length > limit

const said = (exit: Exit.Exit<Summary, unknown>): string => {
  if (Exit.isSuccess(exit)) return `${exit.value.fetched} fetched, ${exit.value.succeeded} succeeded`
  if (Cause.hasInterruptsOnly(exit.cause)) return "it was interrupted"
  const { message, tag } = describe(Cause.squash(exit.cause))
  return message === tag ? tag : `${tag}: ${message}`
}

/** A run ends by itself when its source has nothing more, and is asked once more after everything has ended. */
const emptied = (watch: Watch): void => {
  if (watch.facts.producer || stopped(watch) || watch.handovers.length >= watch.facts.limit) return
  if (watch.brought === "an end" || watch.capabilities.settlement === "watermark") return
  if (watch.brought !== "nothing" || !watch.askedQuiet) {
    watch.broken("a run ends at an empty source", undefined, "it ended without asking once more when all had ended")
  }
}

const counted = (watch: Watch, summary: Summary): void => {
  const { handovers } = watch
  const kinds = ["succeeded", "failed", "requeued", "timeout", "redelivered", "released"] as const
  if (summary.fetched !== handovers.length && !watch.facts.producer) {
    watch.broken("the summary counts", undefined, `${summary.fetched} fetched instead of ${handovers.length}`)
  }
  for (const kind of kinds) {
    const count = handovers.filter((one) => one.outcome === kind).length
    if (summary[kind] !== count) {
      watch.broken("the summary counts", undefined, `${summary[kind]} ${kind} instead of ${count}`)
    }
  }
  if (summary.deadLettered + summary.discarded !== summary.failed + summary.timeout) {
    watch.broken("the summary counts", undefined, "dead-lettered and discarded are not failed and timeout together")
  }
}

const failed = (watch: Watch, cause: Cause.Cause<unknown>): void => {
  if (Cause.hasInterruptsOnly(cause)) {
    if (watch.drainingSince === undefined) watch.broken("a run ends by itself", undefined, "it interrupted itself")
    return
  }
  const found = Cause.findError(cause)
  if (Result.isFailure(found)) {
    return watch.broken("a run does not die", undefined, describe(Cause.squash(cause)).message)
  }
  const error = found.success
  if (error instanceof LoopTimeout && watch.now() < watch.startedAt + watch.facts.loopTimeout) {
    watch.broken("loop.timeout", undefined, `the loop timed out after ${watch.now() - watch.startedAt} ms`)
  }
  if (error instanceof ProducerFailed && !watch.facts.producer) {
    watch.broken("a run fails for a reason", undefined, "a consumer failed as a producer")
  }
}

/** The task itself is at fault: simulating it makes no sense. */
export const refusal = (exit: Exit.Exit<Summary, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const found = Cause.findError(exit.cause)
  return Result.isSuccess(found) && found.success instanceof TaskRefused ? found.success.message : undefined
}

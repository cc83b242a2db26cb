/**
 * One attempt of a step: a fresh root fiber, cut off by the watcher when its time is up.
 *
 * Most attempts of fast programs end before `fork` returns. They take the straight path: no observer, no timer.
 */
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Engine } from "./engine.ts"
import type { StepResult } from "./meter.ts"
import type { Slot } from "./slot.ts"

export type Done = (engine: Engine, slot: Slot, exit: Exit.Exit<unknown, unknown>) => void

export const attempt = (
  engine: Engine,
  slot: Slot,
  effect: Effect.Effect<unknown, unknown>,
  timeout: number,
  done: Done
): void => {
  if (timeout !== Infinity) {
    slot.attemptDueAt = engine.watcher.now() + timeout
    slot.schedule()
    engine.watcher.arm(slot.dueAt)
  }
  const { meter, trace } = engine.signals
  const startedAt = meter.histograms ? engine.watcher.now() : 0
  const { step } = slot
  const span = trace?.attempt(slot)
  const fiber = slot.fork(effect, span)
  const exit = fiber.pollUnsafe()
  if (exit !== undefined && slot.scope.state._tag === "Empty") {
    slot.attemptDueAt = Infinity
    if (span !== undefined) trace!.attemptEnded(span, slot, exit)
    if (meter.histograms) meter.step(step, resultOf(slot, exit), engine.watcher.now() - startedAt)
    return done(engine, slot, exit)
  }
  slot.fiber = fiber
  // The program has stopped its own run before it first waited.
  if (slot.cut !== "nothing") fiber.interruptUnsafe()
  const ended = (exit: Exit.Exit<unknown, unknown>): void => {
    if (slot.scope.state._tag !== "Empty") return closeScope(slot, exit, ended)
    slot.fiber = undefined
    slot.attemptDueAt = Infinity
    if (span !== undefined) trace!.attemptEnded(span, slot, exit)
    if (meter.histograms) meter.step(step, resultOf(slot, exit), engine.watcher.now() - startedAt)
    done(engine, slot, exit)
    engine.pump()
  }
  fiber.addObserver(ended)
}

const resultOf = (slot: Slot, exit: Exit.Exit<unknown, unknown>): StepResult => {
  if (slot.cut !== "nothing") return slot.cut === "stop" ? "interrupted" : "timeout"
  return Exit.isSuccess(exit) ? "ok" : "error"
}

/** What the attempt acquired is released before the attempt counts as ended. */
const closeScope = (
  slot: Slot,
  exit: Exit.Exit<unknown, unknown>,
  ended: (exit: Exit.Exit<unknown, unknown>) => void
): void => {
  const { scope } = slot
  slot.renewScope()
  const closing = slot.fork(Scope.close(scope, exit), undefined, { uninterruptible: true })
  slot.fiber = closing
  closing.addObserver((closed) => {
    if (Exit.isSuccess(closed)) ended(exit)
    else ended(Exit.failCause(Exit.isSuccess(exit) ? closed.cause : Cause.combine(exit.cause, closed.cause)))
  })
}

// A program that fails at once and is tried again at once would never leave this tick, nor its stack.
const attemptsPerTick = 32

/**
 * Waits before the next attempt. `false` when the wait would outlast the transaction's deadline: then it is not begun.
 */
export const wait = (engine: Engine, slot: Slot, delay: number, next: (slot: Slot) => void): boolean => {
  engine.tally.retries++
  slot.delay = delay
  if (delay <= 0 && slot.attempt % attemptsPerTick !== 0) {
    next(slot)
    return true
  }
  const resumeAt = engine.watcher.now() + delay
  if (resumeAt >= slot.deadline) {
    engine.tally.retries--
    return false
  }
  slot.resume = next
  slot.attemptDueAt = resumeAt
  slot.schedule()
  engine.watcher.arm(slot.dueAt)
  return true
}

/** Something of this slot is due: the end of a wait, the timeout of an attempt, or the transaction's deadline. */
export const due = (engine: Engine, slot: Slot, now: number): void => {
  if (slot.deadline <= now) {
    slot.deadline = Infinity
    slot.attemptDueAt = Infinity
    cut(engine, slot, "deadline")
  } else if (slot.attemptDueAt <= now) {
    slot.attemptDueAt = Infinity
    if (slot.resume !== undefined) {
      const next = slot.resume
      slot.resume = undefined
      next(slot)
    } else {
      cut(engine, slot, "attempt")
    }
  }
  slot.schedule()
  engine.watcher.arm(slot.dueAt)
  engine.pump()
}

/** Ends what the slot does now, for this reason. */
export const cut = (engine: Engine, slot: Slot, reason: "attempt" | "deadline" | "stop"): void => {
  // A deadline or a stop that comes while an attempt resists its interruption outranks it. Nothing outranks a stop.
  slot.cut = reason
  if (reason === "stop") {
    slot.deadline = Infinity
    slot.attemptDueAt = Infinity
  }
  if (slot.fiber !== undefined) {
    slot.fiber.interruptUnsafe()
  } else if (slot.resume !== undefined) {
    slot.resume = undefined
    engine.cutOff(slot)
  } else if (slot.abandon?.() === true) {
    slot.abandon = undefined
    engine.cutOff(slot)
  }
}

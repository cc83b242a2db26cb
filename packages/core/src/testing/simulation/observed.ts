/**
 * A task whose functions are watched: what they are called with and how they end is seen, and nothing of it is changed.
 *
 * Chance within the program follows from the transaction and the attempt, so that it does not depend on the order in
 * which things happen.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { Decision } from "../../Decision.ts"
import * as Delivery from "../../Delivery.ts"
import type { Definition, Program } from "../../internal/definition.ts"
import { saysLeaseLost } from "../../internal/engine/lease.ts"
import type { Transaction } from "../../Transaction.ts"
import type { Between } from "./between.ts"
import { chance, Dice } from "./chance.ts"
import * as Handover from "./handover.ts"
import { deliveryMark, outputMark } from "./watch.ts"

export const observed = (definition: Definition, between: Between, seed: number): Definition => {
  const { faults, watch } = between
  const { decide, from, onFailure, onSuccess } = definition
  const failures = new Map<unknown, Handover.Handover>()

  /** A program of this hand-over: it occupies its slot while it runs. */
  const running = <A, E>(
    one: Handover.Handover | undefined,
    run: () => Effect.Effect<A, E>,
    ended: (one: Handover.Handover, exit: Exit.Exit<A, E>) => void
  ): Effect.Effect<A, E> =>
    one === undefined ? Effect.suspend(run) : Effect.suspend(() => {
      let begun = false
      // What ends it stands before it begins: an interruption may come between any two operations.
      return Effect.onExit(
        Effect.suspend(() => {
          begun = true
          watch.runs(one)
          return run()
        }),
        (exit) =>
          Effect.sync(() => {
            if (begun) watch.stops(one)
            if (Exit.isFailure(exit) && saysLeaseLost(exit.cause)) one.uncertain = true
            ended(one, exit)
          })
      )
    })

  const processed = (one: Handover.Handover, exit: Exit.Exit<unknown, unknown>): void => {
    const at = watch.now()
    if (Exit.isSuccess(exit)) {
      return watch.processed(one, { at, succeeded: true, typed: false, defect: false }, "is processed")
    }
    const typed = Cause.hasFails(exit.cause)
    const defect = exit.cause.reasons.some((reason) => reason._tag === "Die")
    const how = typed ? "fails" : defect ? "fails with a defect" : "is interrupted"
    for (const reason of exit.cause.reasons) if (reason._tag === "Fail") failures.set(reason.error, one)
    watch.processed(one, { at, succeeded: false, typed, defect }, how)
  }

  const process = (transaction: Transaction<unknown>) => {
    const one = watch.processes(transaction)
    if (one === undefined) return definition.process(transaction)
    const attempt = one.attempts
    const fault = faults.at("process", one.id, one.nth, attempt)
    if (fault !== undefined) {
      return Effect.suspend(() => {
        between.crash(`as ${one.id} is processed`)
        return Effect.never
      })
    }
    const dice = new Dice(seed, "program", one.id, one.nth, attempt)
    const program = Effect.provideService(Effect.suspend(() => definition.process(transaction)), Random.Random, {
      nextDoubleUnsafe: () => dice.next(),
      nextIntUnsafe: () => dice.between(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    })
    return running(
      one,
      chance(seed, "scope", one.id, one.nth, attempt) < 0.2 ? () => scoped(one, program) : () => program,
      processed
    )
  }

  /** Something in the scope of the attempt, which has to be closed before anything follows. */
  const scoped = (one: Handover.Handover, program: Program): Program =>
    Effect.andThen(
      Effect.acquireRelease(
        Effect.sync(() => {
          one.scopes++
        }),
        () =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => {
              one.scopes--
            })
          )
      ),
      program
    ) as Program

  const source = (): Definition["from"] => {
    if (from._tag === "source") return from
    return {
      _tag: "stream",
      stream: Stream.map(Stream.rechunk(from.stream, 1), (given) => {
        const transaction = Object.freeze({
          ...given,
          metadata: Object.freeze({ ...given.metadata, [deliveryMark]: watch.handovers.length })
        })
        const delivery = Delivery.make(transaction)
        const nth = between.history.handovers.get(given.id) ?? 0
        between.history.handovers.set(given.id, nth + 1)
        const one = Handover.make({
          order: watch.handovers.length,
          nth,
          delivery,
          original: delivery,
          at: watch.now(),
          leaseUntil: Infinity,
          undecodable: false,
          prompt: true,
          doubled: false,
          lostAt: Infinity
        })
        watch.handedOver(one)
        watch.tell(one, `hands over ${given.id}`, "source", "task")
        return transaction
      })
    }
  }

  return {
    ...definition,
    from: source(),
    process,
    sinks: definition.sinks.map(({ key, outputs }) => ({
      key,
      outputs: (transaction, result) => {
        const one = watch.of(transaction)
        if (one !== undefined) watch.dispatches(one)
        const made = outputs(transaction, result)
        const list: ReadonlyArray<Transaction<unknown>> = Array.isArray(made) ? made : [made as Transaction<unknown>]
        const own = one === undefined ?
          list :
          list.map((output) =>
            Object.freeze({
              ...output,
              metadata: Object.freeze({ ...output.metadata, [outputMark]: watch.markOf(one) })
            })
          )
        if (one !== undefined) { for (const output of own) watch.output(one, key.id, output) }
        return own
      }
    })),
    ...(decide === undefined ? {} : {
      decide: (error) => {
        const decision = decide(error)
        const one = failures.get(error)
        if (one !== undefined && decision !== "undecided") watch.decided(one, decision._tag, delayOf(decision))
        return decision
      }
    }),
    ...(onSuccess === undefined ? {} : {
      onSuccess: (transaction, result) => {
        const one = watch.of(transaction)
        if (one !== undefined) watch.succeeds(one)
        return running(one, () => onSuccess(transaction, result), (one, exit) => {
          if (Exit.isSuccess(exit)) one.successDone = true
          else one.troubled = true
        })
      }
    }),
    ...(onFailure === undefined ? {} : {
      onFailure: (failure) => {
        const one = watch.of(failure.transaction)
        if (one !== undefined) watch.excepts(one)
        return running(one, () => onFailure(failure), (one, exit) => {
          if (Exit.isSuccess(exit)) one.hookAnswer = exit.value?._tag ?? "nothing"
          else one.hookFailed = true
        })
      }
    })
  }
}

const delayOf = (decision: Decision): number | undefined =>
  decision._tag === "RetryAfter" ? Duration.toMillis(decision.delay) : undefined

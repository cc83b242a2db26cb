/**
 * A sink with faults, watched: what a process of the simulation sends its results and its dead letters to.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { SinkService } from "../../Connector.ts"
import { DispatchError, type Failed } from "../../ConnectorError.ts"
import type { Transaction } from "../../Transaction.ts"
import { after, atOnce, type Between, decisive, faulty, inPart, lateness } from "./between.ts"
import type { Handover } from "./handover.ts"

export const faultySink = (between: Between, real: SinkService, id: string, letters: boolean): SinkService => {
  const { faults, history, latency, watch } = between
  const attempts = new Map<string, number>()

  const ownerOf = (transaction: Transaction<unknown>): Handover | undefined =>
    letters ? watch.of(transaction) : watch.sent(id, transaction)

  const count = (transaction: Transaction<unknown>, nth: number): number => {
    const name = `${transaction.id}|${nth}`
    const attempt = (attempts.get(name) ?? 0) + 1
    attempts.set(name, attempt)
    return attempt
  }

  const heard = (transaction: Transaction<unknown>, one: Handover | undefined): void => {
    watch.tell(one, `${id} confirms ${transaction.id}`, id, "task")
    if (!letters) watch.confirmed(id, transaction)
    else if (one !== undefined) one.letter = true
  }

  /** Sends to the sink itself those that do not fail by themselves. */
  const send = (
    transactions: ReadonlyArray<Transaction<unknown>>,
    failing: ReadonlyArray<Failed>
  ): Effect.Effect<void, DispatchError> => {
    const failed = new Map(failing.map(({ index, reason }) => [index, reason]))
    const sent = transactions.map((_, index) => index).filter((index) => !failed.has(index))
    const dispatch = sent.length === 0
      ? Effect.succeed(Exit.void)
      : between.outside(Effect.suspend(() => real.dispatch(sent.map((index) => transactions[index]!))))
    return atOnce(
      between,
      Effect.flatMap(dispatch, (exit) => {
        const error = errorOf(exit)
        if (error === undefined && Exit.isFailure(exit)) return Effect.failCause(exit.cause)
        if (error !== undefined && error.failed === undefined) return Effect.fail(error)
        const refused = new Map((error?.failed ?? []).map(({ index, reason }) => [sent[index]!, reason]))
        for (const index of sent) if (!refused.has(index)) history.received(id, transactions[index]!.id)
        const all = [...failed, ...refused].map(([index, reason]) => ({ index, reason }))
        return all.length === 0
          ? Effect.void
          : Effect.fail(
            new DispatchError({ reason: all[0]!.reason, failed: all.toSorted((a, b) => a.index - b.index) })
          )
      })
    )
  }

  const ask = (
    transactions: ReadonlyArray<Transaction<unknown>>,
    owners: ReadonlyArray<Handover | undefined>
  ): Effect.Effect<void, DispatchError> => {
    let wait = 0
    const chosen = transactions.map((transaction, index) => {
      const one = owners[index]
      const nth = one?.nth ?? 0
      watch.tell(one, `sends ${transaction.id} to ${id}`, "task", id)
      if (letters && one !== undefined) watch.buries(one)
      const attempt = count(transaction, nth)
      if (index === 0) wait = faults.latency(latency, "dispatch", transaction.id, nth, attempt)
      const fault = faults.at("dispatch", transaction.id, nth, attempt)
      if (fault !== undefined) watch.tell(one, `fault: the dispatch of ${transaction.id} ${fault.kind}`, id, id)
      return fault
    })
    const first = transactions[0]!
    const sending = after(lateness(chosen, wait), send(transactions, inPart(chosen)))
    // Some clients can't be interrupted.
    const call = chosen.some((fault) => fault?.kind === "late" && fault.value % 2 === 1)
      ? resist(sending)
      : sending
    const where = `${id} had confirmed ${first.id}`
    return faulty(between, decisive(chosen), where, call, (reason) => new DispatchError({ reason }))
  }

  const resist = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.uninterruptible(Effect.suspend(() => {
      between.resisting.count++
      return Effect.ensuring(
        call,
        Effect.sync(() => {
          between.resisting.count--
        })
      )
    }))

  const answered = (
    transactions: ReadonlyArray<Transaction<unknown>>,
    owners: ReadonlyArray<Handover | undefined>,
    exit: Exit.Exit<void, DispatchError>
  ): void => {
    const failed = errorOf(exit)?.failed
    const not = new Set(failed?.map(({ index }) => index))
    transactions.forEach((transaction, index) => {
      const one = owners[index]
      if (Exit.isSuccess(exit) || (failed !== undefined && !not.has(index))) heard(transaction, one)
      else if (one !== undefined) one.troubled = true
    })
  }

  return {
    format: real.format,
    ...(real.health === undefined ? {} : { health: real.health }),
    ...(real.letters === undefined ? {} : { letters: real.letters }),
    dispatch: (transactions) =>
      Effect.suspend(() => {
        if (watch.dead) return Effect.never
        const owners = transactions.map(ownerOf)
        return Effect.onExit(Effect.suspend(() => ask(transactions, owners)), (exit) =>
          atOnce(between, Effect.sync(() => answered(transactions, owners, exit))))
      })
  }
}

const errorOf = (exit: Exit.Exit<void, DispatchError>): DispatchError | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const found = Cause.findError(exit.cause)
  return Result.isSuccess(found) ? found.success : undefined
}

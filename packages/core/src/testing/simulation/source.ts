/**
 * A source with faults, watched: what a process of the simulation fetches from and settles at.
 *
 * A delivery is handed over with metadata of its own, equal to what it came with: by that its transaction is known
 * again in the task's functions and at the sinks.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { FetchRequest, SourceService } from "../../Connector.ts"
import { type Failed, FetchError, SettleError } from "../../ConnectorError.ts"
import type { Delivery } from "../../Delivery.ts"
import * as Disposition from "../../Disposition.ts"
import { LeaseLost, type Reason } from "../../Reason.ts"
import type { Transaction } from "../../Transaction.ts"
import type { Fault } from "../SimulationFault.ts"
import { after, atOnce, type Between, decisive, faulty, inPart, lateness } from "./between.ts"
import * as Handover from "./handover.ts"
import * as Settlements from "./settlements.ts"
import { deliveryMark } from "./watch.ts"

/** What is known of one hand-over of the source itself, however often it was delivered. */
interface Origin {
  settled: boolean
  lost: boolean
}

const lost = new LeaseLost({ message: "the simulation has let the source take it back" })

/** The same metadata, with the order of the hand-over. */
const mark = (metadata: Transaction<unknown>["metadata"], order: number): Transaction<unknown>["metadata"] =>
  Object.freeze({ ...metadata, [deliveryMark]: order })

export const faultySource = (
  between: Between,
  real: SourceService,
  undecodable: (transaction: Transaction<unknown>) => boolean
): SourceService => {
  const { faults, history, latency, time, watch } = between
  const { lease } = real.capabilities
  const origins = new Map<Delivery, Origin>()
  let previous = { id: "", nth: 0 }
  let fetches = 0

  const originOf = (one: Handover.Handover): Origin => origins.get(one.original)!

  const takeBack = (original: Delivery, one: Handover.Handover): void => {
    const origin = origins.get(original)!
    if (origin.settled || origin.lost || watch.dead) return
    origin.lost = true
    watch.tell(one, `the source takes ${one.id} back`, "source", "source")
    const settlement = Disposition.settlement(original, Disposition.requeue())
    Effect.runForkWith(between.context)(Effect.ignore(real.settle([settlement])))
  }

  /** Only one holds it at a time, unless it was delivered twice. */
  const held = (one: Handover.Handover): void => {
    const other = watch.handovers.find((other) =>
      other.id === one.id && other.original !== one.original && other.asked === undefined &&
      other.outcome === undefined && !originOf(other).lost && real.isHeld?.(other.original) === true
    )
    if (other !== undefined && real.capabilities.settlement === "each") {
      watch.broken("one holder of a lease", one, "handed over again while it is held")
    }
  }

  const handOver = (original: Delivery, fault: Fault | undefined, nth: number, doubled: boolean): Delivery => {
    const { id, metadata, payload } = original.transaction
    const broken = fault?.kind === "undecodable"
    const transaction = Object.freeze({ id, payload, metadata: mark(metadata, watch.handovers.length) })
    const delivery: Delivery = {
      ...original,
      transaction,
      malformed: broken ? "the simulation has broken it on its way" : original.malformed
    }
    const fits = !undecodable(original.transaction)
    const one = Handover.make({
      order: watch.handovers.length,
      nth,
      delivery,
      original,
      at: watch.now(),
      leaseUntil: lease === undefined ? Infinity : time.now + Duration.toMillis(lease.duration),
      undecodable: broken || !fits,
      prompt: fits && !broken,
      doubled,
      lostAt: Infinity
    })
    held(one)
    watch.handedOver(one)
    watch.tell(one, `hands over ${id}${nth > 0 ? `, delivery ${nth + 1}` : ""}`, "source", "task")
    if (fault?.kind === "leaseLost" && real.capabilities.settlement === "each") {
      one.lostAt = time.now + fault.value
      time.at(one.lostAt, undefined, () => takeBack(original, one))
    }
    if (fault?.kind === "leaseLost" && real.capabilities.settlement === "watermark" && between.cut !== undefined) {
      const { cut } = between
      time.at(time.now + fault.value, undefined, () => {
        if (watch.dead) return
        watch.tell(one, `the source takes the partition of ${id} back`, "source", "source")
        Effect.runForkWith(between.context)(Effect.ignore(cut))
      })
    }
    return delivery
  }

  const arrive = (fetched: ReadonlyArray<Delivery>): Effect.Effect<ReadonlyArray<Delivery>> => {
    const ordered = real.capabilities.settlement === "watermark" || real.capabilities.ordering !== "none" ||
      watch.facts.lanes
    const arriving: Array<{ original: Delivery; fault: Fault | undefined; nth: number; doubled: boolean }> = []
    const behind: typeof arriving = []
    let wait = 0
    for (const original of fetched) {
      const { id } = original.transaction
      const nth = history.handovers.get(id) ?? 0
      history.handovers.set(id, nth + 1)
      history.known.add(id)
      history.handed++
      if (real.capabilities.settlement === "none") history.ended.set(id, "Ack")
      else history.ended.delete(id)
      origins.set(original, { settled: false, lost: false })
      const fault = faults.at("deliver", id, nth, 1)
      if (fault?.kind === "late") wait = Math.max(wait, fault.value)
      const arrival = { original, fault, nth, doubled: fault?.kind === "doubled" }
      ;(fault?.kind === "reordered" && !ordered ? behind : arriving).push(arrival)
      if (arrival.doubled) arriving.push(arrival)
      previous = { id, nth }
    }
    fetches = 0
    arriving.push(...behind)
    const hand = atOnce(
      between,
      Effect.sync(() => arriving.map(({ doubled, fault, nth, original }) => handOver(original, fault, nth, doubled)))
    )
    if (wait === 0) return hand
    const giveBack = real.settle(fetched.map((delivery) => Disposition.settlement(delivery, Disposition.release)))
    return Effect.andThen(
      Effect.onInterrupt(Effect.sleep(Duration.millis(wait)), () => between.outside(giveBack)),
      hand
    )
  }

  const fetch = (request: FetchRequest): Effect.Effect<ReadonlyArray<Delivery>, FetchError | Cause.Done> =>
    Effect.suspend(() => {
      let begun = false
      return Effect.onExit(
        Effect.suspend(() => {
          begun = true
          return ask(request)
        }),
        (exit) =>
          Effect.sync(() => {
            if (begun) watch.fetchEnded(exit)
          })
      )
    })

  const ask = (request: FetchRequest): Effect.Effect<ReadonlyArray<Delivery>, FetchError | Cause.Done> => {
    watch.fetchAsked(request)
    const attempt = ++fetches
    const fault = faults.at("fetch", previous.id, previous.nth, attempt)
    const extra = fault?.kind === "surplus" ? fault.value : 0
    const wait = lateness([fault], faults.latency(latency, "fetch", previous.id, previous.nth, attempt))
    const asked = extra === 0 ? request : { ...request, max: request.max + extra }
    const call = Effect.flatMap(atOnce(between, real.fetch(asked)), arrive)
    const what = fault?.kind === "closes" ? Effect.andThen(between.close, call) : call
    if (fault !== undefined) watch.tell(undefined, `fault: the fetch ${fault.kind}`, "source", "source")
    return after(wait, faulty(between, fault, "a fetch", what, (reason) => new FetchError({ reason })))
  }

  /** What a settlement has changed at the source. */
  const tookEffect = (one: Handover.Handover, { disposition }: Disposition.Settlement): void => {
    const origin = originOf(one)
    // A position may be committed after a delivery of it was given back.
    if (origin.settled && real.capabilities.settlement !== "watermark") return
    origin.settled = true
    if (disposition._tag !== "Ack" && disposition._tag !== "DeadLetter") return
    history.ended.set(one.id, disposition._tag)
    if (real.capabilities.settlement !== "watermark") return
    for (const other of watch.handovers) {
      const covered = other.order < one.order && other.delivery.partition === one.delivery.partition
      if (covered && real.isHeld?.(other.original) !== false) history.ended.set(other.id, "Ack")
    }
  }

  /** Settles at the source itself, and answers with what failed; a reason alone is for the whole. */
  const settleAt = (
    settlements: ReadonlyArray<Disposition.Settlement>,
    ones: ReadonlyArray<Handover.Handover>,
    failing: ReadonlyArray<Failed>
  ): Effect.Effect<void, SettleError> => {
    const failed = new Map(failing.map(({ index, reason }) => [index, reason]))
    ones.forEach((one, index) => {
      if (originOf(one).lost) failed.set(index, lost)
    })
    const sent = ones.map((_, index) => index).filter((index) => !failed.has(index))
    const settle = sent.length === 0 ? Effect.succeed(Exit.void) : between.outside(
      Effect.suspend(() =>
        real.settle(sent.map((index) => ({ ...settlements[index]!, delivery: ones[index]!.original })))
      )
    )
    return atOnce(
      between,
      Effect.flatMap(settle, (exit) => {
        const whole = wholeReason(exit)
        if (whole !== undefined) return Effect.fail(new SettleError({ reason: whole }))
        const refused = new Map(failedOf(exit).map(({ index, reason }) => [sent[index]!, reason]))
        for (const index of sent) if (!refused.has(index)) tookEffect(ones[index]!, settlements[index]!)
        const all = [...failed, ...refused].map(([index, reason]) => ({ index, reason }))
        return all.length === 0
          ? Effect.void
          : Effect.fail(new SettleError({ reason: all[0]!.reason, failed: all.toSorted((a, b) => a.index - b.index) }))
      })
    )
  }

  const settle = (settlements: ReadonlyArray<Disposition.Settlement>): Effect.Effect<void, SettleError> =>
    Effect.suspend(() => {
      if (watch.dead) return Effect.never
      const ones = settlements.map(({ delivery }) => watch.ofDelivery(delivery)!)
      return Effect.onExit(
        Effect.suspend(() => askToSettle(settlements, ones)),
        (exit) => atOnce(between, Effect.sync(() => answered(ones, exit)))
      )
    })

  const askToSettle = (
    settlements: ReadonlyArray<Disposition.Settlement>,
    ones: ReadonlyArray<Handover.Handover>
  ): Effect.Effect<void, SettleError> => {
    ones.forEach((one, index) => Settlements.asked(watch, one, settlements[index]!))
    const chosen = ones.map((one) => faults.at("settle", one.id, one.nth, one.tries))
    chosen.forEach((fault, index) => {
      if (fault !== undefined) watch.tell(ones[index], `fault: the settlement of ${ones[index]!.id} ${fault.kind}`)
    })
    const first = ones[0]!
    const wait = lateness(chosen, faults.latency(latency, "settle", first.id, first.nth, first.tries))
    const call = after(wait, settleAt(settlements, ones, inPart(chosen)))
    const where = `the settlement of ${first.id} took effect`
    return faulty(between, decisive(chosen), where, call, (reason) => new SettleError({ reason }))
  }

  const answered = (ones: ReadonlyArray<Handover.Handover>, exit: Exit.Exit<void, SettleError>): void => {
    const wholly = wholeReason(exit)
    const failed = new Map(failedOf(exit).map(({ index, reason }) => [index, reason]))
    ones.forEach((one, index) => {
      const reason = wholly ?? failed.get(index)
      if (reason instanceof LeaseLost) watch.lost(one)
      const settled = Exit.isSuccess(exit) || failed.size > 0
      Settlements.told(watch, one, reason === undefined ? settled ? undefined : "no answer" : reason._tag)
    })
  }

  const isHeld = (delivery: Delivery): boolean => {
    const one = watch.ofDelivery(delivery)
    if (one === undefined) return true
    const held = !originOf(one).lost && (real.isHeld?.(one.original) ?? true)
    if (!held) watch.lost(one)
    return held
  }

  watch.isHeld = (one) => !originOf(one).lost && (real.isHeld?.(one.original) ?? true)

  const { extend } = real
  return {
    format: real.format,
    capabilities: real.capabilities,
    ...(real.count === undefined ? {} : { count: real.count }),
    ...(real.health === undefined ? {} : { health: real.health }),
    ...(real.resolve === undefined ? {} : { resolve: real.resolve }),
    fetch,
    settle,
    isHeld,
    ...(extend === undefined ? {} : {
      extend: (deliveries: ReadonlyArray<Delivery>) =>
        Effect.suspend(() => {
          const ones = deliveries.map((delivery) => watch.ofDelivery(delivery)!)
          const first = ones[0]!
          const attempt = ++first.extensions
          const fault = faults.at("extend", first.id, first.nth, attempt)
          watch.extends(ones)
          if (fault !== undefined) {
            watch.tell(first, `fault: the extension of leases ${fault.kind}`, "source", "source")
          }
          const call = Effect.map(
            atOnce(between, extend.call(real, ones.map(({ original }) => original))),
            (indices) => {
              const gone = new Set(indices)
              ones.forEach((one, index) => {
                if (originOf(one).lost) gone.add(index)
                if (gone.has(index)) {
                  watch.lost(one)
                  one.lostWhileRunning = true
                } else one.leaseUntil = time.now + Duration.toMillis(lease?.duration ?? Duration.infinity)
              })
              return Array.from(gone).toSorted((a, b) => a - b)
            }
          )
          const slow = after(faults.latency(latency, "extend", first.id, first.nth, attempt), call)
          const asked = faulty(between, fault, "an extension", slow, (reason) => new SettleError({ reason }))
          return Effect.onExit(asked, (exit) =>
            Effect.sync(() => {
              if (Exit.isFailure(exit)) watch.extendedBadly(ones)
            }))
        })
    })
  }
}

const errorOf = (exit: Exit.Exit<void, SettleError>): SettleError | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const found = Cause.findError(exit.cause)
  return Result.isSuccess(found) ? found.success : undefined
}

const failedOf = (exit: Exit.Exit<void, SettleError>): ReadonlyArray<Failed> => errorOf(exit)?.failed ?? []

const wholeReason = (exit: Exit.Exit<void, SettleError>): Reason | undefined => {
  const error = errorOf(exit)
  return error === undefined || error.failed !== undefined ? undefined : error.reason
}

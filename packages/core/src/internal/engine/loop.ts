/**
 * The loop: starts transactions while there are slots, and ends when nothing is left to do.
 *
 *     running -> draining -> ended      drain: no fetch, no start; what runs may finish, what does not run is released
 *        |          |
 *        +----------+-> stopping -> ended     the grace is over, or the loop's timeout: what runs is interrupted and
 *                                             released; what resists for half of `shutdown.close` is released all the
 *                                             same and left behind; what did not answer by its end is given up
 *
 * Everything happens in the tick in which it becomes possible; after a number of starts, or with something to flush,
 * the loop lets the event loop turn once. Nothing here waits: the watcher wakes it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Disposition from "../../Disposition.ts"
import type { Kind } from "../../Outcome.ts"
import { LoopTimeout, type RunError } from "../../TaskError.ts"
import { cut, due } from "./attempt.ts"
import { poisoned } from "./deadLetter.ts"
import { decode } from "./decode.ts"
import type { Engine, EngineOptions } from "./engine.ts"
import { cutOff } from "./exception.ts"
import { type Asked, Intake } from "./fetch.ts"
import { below, Gatherer, type Route } from "./gather.ts"
import * as Item from "./item.ts"
import { Lanes } from "./lanes.ts"
import { LeaseKeeper } from "./lease.ts"
import type { Plan } from "./plan.ts"
import { RateLimit } from "./rate.ts"
import { Requeues } from "./requeue.ts"
import { Settler } from "./settle.ts"
import { Signals } from "./signals.ts"
import type { Slot } from "./slot.ts"
import { Slots } from "./slots.ts"
import { Tally } from "./tally.ts"
import { Ticks } from "./ticks.ts"
import { type Watched, Watcher } from "./watcher.ts"

// Unconfirmed, in lanes, and held for later, each: what does not move holds the loop up and does not fill the memory.
export const mostWaiting = 4096

export class Loop implements Engine {
  readonly plan: Plan
  readonly watcher: Watcher
  readonly tally = new Tally()
  readonly signals: Signals
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly sinks: ReadonlyArray<Gatherer>
  readonly deadLetters: Gatherer | undefined
  phase: "running" | "draining" | "stopping" | "ended" = "running"

  private readonly options: EngineOptions
  private readonly ticks: Ticks
  private readonly slots: Slots
  private readonly intake: Intake
  private readonly lanes = new Lanes()
  private readonly leases: LeaseKeeper
  private readonly settler: Settler
  private readonly requeues: Requeues
  private rate: RateLimit | undefined
  private readonly nextStart: Watched
  private concurrency: number
  private pumping = false
  private givenUp = false
  private error: RunError | undefined

  constructor(options: EngineOptions) {
    const { plan } = options
    this.options = options
    this.plan = plan
    this.fork = options.fork
    this.concurrency = plan.concurrency
    this.rate = plan.rate === undefined ? undefined : new RateLimit(plan.rate.limit, plan.rate.interval)
    const watcher = this.watcher = new Watcher(options.clock, options.fork)
    this.ticks = new Ticks(options.fork, () => this.pump())
    this.nextStart = watcher.entry(() => this.pump())
    const warn: Engine["warn"] = (...args) => this.warn(...args)
    const soon: Engine["soon"] = (task) => this.soon(task)
    const signals = this.signals = new Signals(options.trace, {
      ...options,
      watcher,
      tally: this.tally,
      inFlight: () => this.slots.active
    })
    this.slots = new Slots(options.context, watcher, (slot, now) => due(this, slot, now))
    this.leases = new LeaseKeeper({ source: plan.source, watcher, fork: options.fork, warn })
    this.settler = new Settler({
      plan,
      signals,
      watcher,
      fork: options.fork,
      soon,
      sending: (items) => items.forEach((item) => this.leases.release(item)),
      confirmed: (items) => this.confirmed(items),
      warn
    })
    this.requeues = new Requeues({
      plan,
      watcher,
      settle: (item) => this.settler.push(item),
      leaveLane: (item) => this.leaveLane(item),
      runAgain: (item) => this.runAgain(item),
      pump: () => this.pump()
    })
    this.intake = new Intake({
      plan,
      watcher,
      tally: this.tally,
      signals,
      fork: options.fork,
      expiry: (now) => this.leases.expiry(now),
      concurrency: () => this.concurrency,
      quiet: () => this.quiet,
      fetched: (item) => {
        this.settler.fetched(item)
        this.leases.hold(item)
      },
      release: (item) => this.release(item),
      pump: () => this.pump()
    })
    // With one slot there is nobody to gather with.
    const gather = plan.concurrency === 1 ? undefined : soon
    const route = (to: Route, timeout: number): Gatherer =>
      new Gatherer(to, timeout, watcher, options.fork, gather, signals, () => this.pump())
    this.sinks = options.sinks.map((to) => route(to, plan.dispatch.timeout))
    this.deadLetters = options.deadLetters && route(options.deadLetters, plan.exception.timeout)
  }

  start(): void {
    const { loopTimeout, name } = this.plan
    this.tally.startedAt = this.watcher.now()
    const over = this.watcher.entry(() => {
      this.error ??= new LoopTimeout({ task: name, timeout: loopTimeout })
      this.stop()
    })
    if (loopTimeout !== Infinity) this.watcher.set(over, this.tally.startedAt + loopTimeout)
    this.pump()
  }

  get status() {
    return {
      inFlight: this.slots.active,
      buffered: this.intake.buffered + this.lanes.waiting,
      held: this.requeues.size,
      settling: this.settler.unconfirmed,
      concurrency: this.concurrency,
      resisting: this.slots.resisting,
      fetchingSince: this.intake.fetchingSince,
      oldestSince: this.slots.oldestSince,
      fetchFailures: this.intake.failures,
      summary: this.tally.soFar(this.watcher.now())
    }
  }

  setConcurrency(concurrency: number): void {
    this.concurrency = concurrency
    this.pump()
  }

  setRate(rate: { readonly limit: number; readonly interval: number } | undefined): void {
    this.rate = rate && (this.rate ?? new RateLimit(rate.limit, rate.interval)).set(rate.limit, rate.interval)
    this.pump()
  }

  /** No new fetch and no new start; what runs may finish within the grace, and the rest is released. */
  drain(): void {
    if (this.phase !== "running") return
    this.phase = "draining"
    this.giveBack()
    this.watcher.set(this.watcher.entry(() => this.stop()), this.watcher.now() + this.plan.grace)
    this.pump()
  }

  /** Interrupts what runs, and releases it. */
  stop(): void {
    if (this.phase === "stopping" || this.phase === "ended") return
    this.phase = "stopping"
    this.giveBack()
    const now = this.watcher.now()
    // Half of the time is for what runs to end, the other half for the source to take back what does not.
    this.watcher.set(this.watcher.entry(() => this.leaveBehind()), now + this.plan.close / 2)
    this.watcher.set(this.watcher.entry(() => this.giveUp()), now + this.plan.close)
    for (const slot of this.slots.taken()) cut(this, slot, "stop")
    this.pump()
  }

  pump(): void {
    if (this.pumping || this.ticks.yielding || this.phase === "ended") return
    this.pumping = true
    try {
      do {
        // Before anything is started, so that the source works on its answer while programs run that never wait. Clients
        // write when the event loop turns.
        if (this.fetch() === "asked" && this.intake.buffered > 0) return this.ticks.rest()
      } while (this.startAll() && this.fetch() === "arrived")
    } finally {
      this.pumping = false
    }
    if (!this.ticks.yielding) this.endIfDone()
  }

  /** Fetches where that is wanted. */
  private fetch(): Asked {
    if (this.phase !== "running") return "not"
    const waiting = Math.max(this.settler.unconfirmed, this.lanes.waiting, this.requeues.size)
    if (waiting >= mostWaiting || this.options.behind()) return "not"
    return this.intake.fetch(this.concurrency - this.slots.active)
  }

  soon(task: () => void): void {
    this.ticks.soon(task)
  }

  finish(slot: Slot, kind: Kind, disposition: Disposition.Disposition): void {
    const { item } = slot
    if (item === undefined) return
    item.kind = kind
    item.disposition = disposition
    this.slots.vacate(slot)
    if (this.phase === "running" && !this.plan.single) {
      if (disposition._tag === "Requeue") return this.requeues.requeue(item, Duration.toMillis(disposition.delay))
      // A release by the task, where nothing goes back to the source alone, is a requeue without a delay.
      if (kind === "released" && this.requeues.local) return this.requeues.requeue(item, 0)
    }
    this.leaveLane(item)
    this.settler.push(item)
  }

  finishCommitted(slot: Slot): void {
    const { item } = slot
    if (item === undefined) return
    this.slots.vacate(slot)
    this.leaveLane(item)
    this.confirmed([item])
  }

  redeliver(slot: Slot, why: string): void {
    const { item } = slot
    if (item === undefined) return
    const { id } = item.delivery.transaction
    this.warn("the lease of a transaction is lost; the source will redeliver", { transaction: id, reason: why }, item)
    this.finish(slot, "redelivered", Disposition.release)
  }

  cutOff(slot: Slot): void {
    if (slot.item !== undefined) cutOff(this, slot)
  }

  abort(slot: Slot, error: RunError): void {
    this.error ??= error
    this.finish(slot, "released", Disposition.release)
    this.drain()
  }

  warn(message: string, annotations: Record<string, unknown>, item?: Item.Item): void {
    this.fork(below(item?.span, Effect.annotateLogs(Effect.logWarning(message), annotations)))
  }

  /** Nothing runs, waits or is being settled. */
  private get quiet(): boolean {
    return this.slots.active === 0 && this.intake.buffered === 0 && this.lanes.waiting === 0 &&
      this.requeues.size === 0 && this.settler.idle
  }

  /** Starts what can start. `false` when the loop has to let the event loop turn first. */
  private startAll(): boolean {
    while (this.slots.active < this.concurrency && this.phase === "running") {
      const now = this.rate === undefined ? 0 : this.watcher.now()
      if (this.rate !== undefined && this.rate.allowedAt() > now) {
        if (this.intake.buffered > 0) this.watcher.set(this.nextStart, this.rate.allowedAt())
        return this.intake.buffered === 0
      }
      const item = this.intake.take(this.enter)
      if (item === undefined) return true
      if (this.dropped(item)) continue
      this.rate?.started(now)
      this.occupy(item)
      if (!this.ticks.started()) return false
    }
    return true
  }

  private readonly enter = (item: Item.Item): boolean => this.lanes.enter(item)

  private occupy(item: Item.Item): void {
    const slot = this.slots.take(item)
    const { deadline } = this.plan
    slot.startedAt = this.watcher.now()
    if (deadline !== Infinity || this.leases.clips) {
      const dueAt = slot.startedAt + deadline
      slot.deadline = this.leases.clips && item.expiresAt < dueAt ? item.expiresAt : dueAt
      slot.dueAt = slot.deadline
      this.watcher.arm(slot.dueAt)
    }
    this.signals.started(slot, item)
    if (item.deliveries > this.plan.maxDeliveries) poisoned(this, slot)
    else decode(this, slot)
  }

  private leaveLane(item: Item.Item): void {
    const next = this.lanes.leave(item.key)
    if (next !== undefined) this.intake.putFirst(next)
  }

  /** A delivery that is not ours any more is not started. */
  private dropped(item: Item.Item): boolean {
    const gone = item.lost || this.plan.source.isHeld?.(item.delivery) === false ||
      (item.expiresAt !== 0 && item.expiresAt <= this.watcher.now())
    if (!gone) return false
    item.kind = "redelivered"
    this.leases.release(item)
    this.leaveLane(item)
    this.settler.push(item)
    return true
  }

  /** The same delivery once more. It has not left its lane, nor its place in the watermark. */
  private runAgain(item: Item.Item): void {
    const again = Item.make(item.delivery, item.deliveries + 1, item.key, item.expiresAt)
    again.transaction = item.transaction
    again.lost = item.lost
    this.signals.ended(item)
    this.leases.replace(item, again)
    this.settler.replace(item, again)
    this.intake.putFirst(again)
  }

  private release(item: Item.Item): void {
    item.kind = "released"
    item.disposition = Disposition.release
    this.settler.push(item)
  }

  /** Everything that does not run goes back to the source; what is confirmed at once does not end the run before that. */
  private giveBack(): void {
    const { pumping } = this
    this.pumping = true
    for (const item of [this.intake.stop(), this.lanes.drain(), this.requeues.drain()].flat()) this.release(item)
    this.pumping = pumping
  }

  private confirmed(items: ReadonlyArray<Item.Item>): void {
    for (const item of items) {
      this.leases.release(item)
      this.tally.count(item)
      this.signals.ended(item)
      this.intake.confirmed(item)
      this.options.observe?.(Item.outcome(item))
    }
    if (this.signals.trace !== undefined && this.quiet) this.signals.trace.endBatch()
    // Whoever confirmed is on the stack; what is possible now is started from the next turn of the loop.
    if (!this.pumping) this.pump()
  }

  private leaveBehind(): void {
    const resisting = this.slots.taken()
    const transactions = resisting.length
    if (transactions > 0) {
      this.warn("transactions resist their interruption; they are released while they still run", { transactions })
    }
    for (const slot of resisting) this.release(this.slots.leaveBehind(slot))
    this.pump()
  }

  /** No answer of a connector is waited for any more. */
  private giveUp(): void {
    this.givenUp = true
    this.settler.giveUp()
    this.pump()
  }

  /** Nothing is on its way to a connector, or from one. */
  private get answered(): boolean {
    return !this.intake.fetching && this.ticks.idle && this.sinks.every((sink) => sink.idle) &&
      this.deadLetters?.idle !== false
  }

  private endIfDone(): void {
    if (this.phase === "ended" || this.pumping) return
    if (!this.intake.ended || !this.quiet || !(this.givenUp || this.answered)) return
    this.settler.strand()
    this.phase = "ended"
    this.signals.meter.end()
    this.tally.endedAt = this.watcher.now()
    this.watcher.close()
    this.leases.close()
    this.options.ended(this.error ?? this.intake.error)
  }
}

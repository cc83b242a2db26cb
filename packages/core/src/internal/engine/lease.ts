/**
 * Keeps the leases of everything that is fetched and not settled: what runs, what waits in the buffer or in a lane, and
 * what waits to be settled. One extension for all of them, three times per lease; one that fails, or has not answered
 * in a sixth of the lease, is tried again a sixth later.
 *
 * An item whose lease is lost, or was not extended in time, is marked: it is not started any more, and what runs of it
 * is not routed any further. Worst case: a loss is noticed after a third of the lease.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { SourceService } from "../../Connector.ts"
import type { SettleError } from "../../ConnectorError.ts"
import { LeaseLost } from "../../Reason.ts"
import type { Item } from "./item.ts"
import type { Watched, Watcher } from "./watcher.ts"

/** Whether a program failed because its delivery is not ours any more: with the reason, or an error that has it. */
export const saysLeaseLost = (cause: Cause.Cause<unknown>): boolean => {
  const found = Cause.findError(cause)
  if (Result.isFailure(found)) return false
  const error = found.success
  return error instanceof LeaseLost || (Predicate.hasProperty(error, "reason") && error.reason instanceof LeaseLost)
}

export interface LeaseKeeperOptions {
  readonly source: SourceService
  readonly watcher: Watcher
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly warn: (message: string, annotations: Record<string, unknown>) => void
}

export class LeaseKeeper {
  private readonly options: LeaseKeeperOptions
  private readonly held = new Set<Item>()
  private readonly tick: Watched
  private readonly overdue: Watched
  private readonly duration: number
  private readonly canExtend: boolean
  private fiber: Fiber.Fiber<ReadonlyArray<number>, SettleError> | undefined
  // What the newest extension is for.
  private extending: Array<Item> = []

  constructor(options: LeaseKeeperOptions) {
    this.options = options
    const { lease } = options.source.capabilities
    this.duration = lease === undefined ? Infinity : Duration.toMillis(lease.duration)
    this.canExtend = lease?.extend === true && options.source.extend !== undefined
    this.tick = options.watcher.entry(() => this.extendAll())
    this.overdue = options.watcher.entry(() => this.fiber?.interruptUnsafe())
  }

  /** When a lease that starts now runs out, unless it is extended; 0 where there are no leases. */
  expiry(now: number): number {
    return this.duration === Infinity ? 0 : now + this.duration
  }

  /** Whether the deadline of a transaction has to stay within its lease. */
  get clips(): boolean {
    return this.duration !== Infinity && !this.canExtend
  }

  hold(item: Item): void {
    if (!this.canExtend) return
    this.held.add(item)
    if (this.tick.dueAt === Infinity && this.fiber === undefined) this.rest(3)
  }

  /** Its settlement is on its way, or it is not ours any more. */
  release(item: Item): void {
    if (this.canExtend) this.held.delete(item)
  }

  /** The same delivery once more: an extension that is on its way is for it as well. */
  replace(old: Item, item: Item): void {
    this.release(old)
    this.hold(item)
    const index = this.extending.indexOf(old)
    if (index >= 0) this.extending[index] = item
  }

  /** The run has ended: an extension that has not answered is not waited for. */
  close(): void {
    this.held.clear()
    this.fiber?.interruptUnsafe()
  }

  private rest(part: number): void {
    this.options.watcher.set(this.tick, this.options.watcher.now() + this.duration / part)
  }

  private extendAll(): void {
    const items = Array.from(this.held).filter((item) => !item.lost)
    if (items.length === 0) return
    this.extending = items
    const { source } = this.options
    const asked = this.options.watcher.now()
    const fiber = this.options.fork(Effect.suspend(() => source.extend!(items.map((item) => item.delivery))))
    const arrived = (exit: Exit.Exit<ReadonlyArray<number>, SettleError>): void => {
      this.fiber = undefined
      this.overdue.dueAt = Infinity
      this.extended(items, asked, exit)
      if (this.held.size > 0) this.rest(Exit.isSuccess(exit) ? 3 : 6)
    }
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return arrived(exit)
    this.fiber = fiber
    this.options.watcher.set(this.overdue, asked + this.duration / 6)
    fiber.addObserver(arrived)
  }

  private extended(
    items: ReadonlyArray<Item>,
    asked: number,
    exit: Exit.Exit<ReadonlyArray<number>, SettleError>
  ): void {
    if (Exit.isFailure(exit)) {
      // Another try follows; what runs out until then counts as lost.
      const now = this.options.watcher.now()
      for (const item of items) if (item.expiresAt <= now) this.lose(item)
      return
    }
    for (const item of items) item.expiresAt = asked + this.duration
    for (const index of exit.value) if (items[index] !== undefined) this.lose(items[index])
  }

  private lose(item: Item): void {
    item.lost = true
    this.held.delete(item)
  }
}

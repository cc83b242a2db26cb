/**
 * Watches one process: what its engine asks of the source, of the sinks and of the task's functions, and whether it may.
 * What is told here is what was seen from outside; the engine's own records are not looked at.
 *
 * The rules about attempts are in `attempts.ts`, about settlements in `settlements.ts`, about the run as a whole in
 * `runs.ts`.
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import type { Capabilities, FetchRequest } from "../../Connector.ts"
import type { FetchError } from "../../ConnectorError.ts"
import type { Delivery } from "../../Delivery.ts"
import type { Transaction } from "../../Transaction.ts"
import * as Attempts from "./attempts.ts"
import { type Facts, keepsRequeues } from "./facts.ts"
import type * as Handover from "./handover.ts"
import type { History } from "./history.ts"
import type { Time } from "./time.ts"

// Which hand-over of a process a transaction belongs to, and which one an output: kept in its metadata under a symbol,
// which nobody sees and which goes along with every copy.
export const deliveryMark = Symbol("@ergon/core/testing/delivery")
export const outputMark = Symbol("@ergon/core/testing/output")

const mostRuns = 10_000

const marked = ({ metadata }: Transaction<unknown>, mark: symbol): number | undefined => {
  const order: unknown = Reflect.get(metadata, mark)
  return typeof order === "number" ? order : undefined
}

export class Watch {
  readonly n: number
  readonly facts: Facts
  readonly history: History
  readonly time: Time
  readonly capabilities: Capabilities
  readonly local: boolean
  /** In milliseconds on the clock of this process. */
  readonly now: () => number
  readonly handovers: Array<Handover.Handover> = []
  startedAt = 0
  /** The process has crashed: nothing of it counts any more. */
  dead = false
  /** Since when it has been told to stop, by an interruption or by its own task. */
  drainingSince: number | undefined
  /** The clocks agree, so that times can be compared to the millisecond. */
  exact = true
  fetching = 0
  /** Of the newest fetch: whether all that came before had ended when it was begun, and what it brought. */
  askedQuiet = false
  brought: "deliveries" | "nothing" | "an end" | "a failure" | undefined
  /** Whether the source still holds a delivery for this process. */
  isHeld: (one: Handover.Handover) => boolean = () => true
  private readonly requeues = new Map<string, number>()
  private readonly committed = new Map<string | undefined, number>()
  /** An extension of leases failed, or was slow: leases may run out. */
  extendsBadly = false
  begun = 0
  private readonly begunOfKey = new Map<string, number>()
  readonly starts: Array<number> = []

  constructor(options: {
    readonly n: number
    readonly facts: Facts
    readonly history: History
    readonly time: Time
    readonly capabilities: Capabilities
    readonly now: () => number
  }) {
    this.n = options.n
    this.facts = options.facts
    this.history = options.history
    this.time = options.time
    this.capabilities = options.capabilities
    this.now = options.now
    this.local = keepsRequeues(options.facts, options.capabilities)
  }

  broken(rule: string, of: Handover.Handover | undefined, text: string): void {
    if (!this.dead) this.history.broken(rule, this.n, of?.id ?? "", text)
  }

  tell(of: Handover.Handover | undefined, text: string, from = "", to = ""): void {
    if (!this.dead) this.history.tell(this.n, of?.id ?? "", text, from, to)
  }

  // The source.

  fetchAsked({ max }: FetchRequest): void {
    if (this.dead) return
    const { batchSize, limit, mode } = this.facts
    this.askedQuiet = this.handovers.every((one) => one.outcome !== undefined)
    this.brought = undefined
    if (this.fetching++ > 0) this.broken("one fetch at a time", undefined, "a fetch was begun while another one waits")
    if (max < 1) this.broken("a fetch asks for something", undefined, `asked for ${max}`)
    if (max > batchSize) this.broken("batch size", undefined, `asked for ${max}, more than ${batchSize}`)
    if (max > limit - this.handovers.length) {
      this.broken("limit", undefined, `asked for ${max} when ${limit - this.handovers.length} of ${limit} were left`)
    }
    if (this.drainingSince !== undefined && this.now() > this.drainingSince) {
      this.broken("drain", undefined, "a fetch was begun after the drain had begun")
    }
    // What stands behind a gap in a partition is not waited for: it is delivered again.
    const batch = mode === "batch" && this.capabilities.settlement !== "watermark"
    const open = batch ? this.handovers.find((one) => one.outcome === undefined) : undefined
    if (open !== undefined) this.broken("batch mode", open, "the next batch was fetched before this one had ended")
  }

  fetchEnded(exit: Exit.Exit<ReadonlyArray<Delivery>, FetchError | Cause.Done>): void {
    this.fetching--
    this.brought = Exit.isSuccess(exit)
      ? exit.value.length > 0 ? "deliveries" : "nothing"
      : Pull.isDoneCause(exit.cause)
      ? "an end"
      : "a failure"
  }

  /** Told again from the engine's side: how a delivery has ended. */
  requeued(one: Handover.Handover): void {
    this.requeues.set(one.id, (this.requeues.get(one.id) ?? 0) + 1)
  }

  /** It has come to its end: if its id comes again, it is counted anew. */
  forgets(one: Handover.Handover): void {
    this.requeues.delete(one.id)
  }

  /** A position is to be committed: not one before what is known to be committed. */
  commits(one: Handover.Handover): void {
    if (one.order < (this.committed.get(one.delivery.partition) ?? -1)) {
      this.broken("a position never goes back", one, "committed after a later one of its partition")
    }
  }

  committedAt(one: Handover.Handover): void {
    const { partition } = one.delivery
    this.committed.set(partition, Math.max(one.order, this.committed.get(partition) ?? -1))
  }

  handedOver(one: Handover.Handover): void {
    one.requeued = this.requeues.get(one.id) ?? 0
    this.handovers.push(one)
  }

  lost(one: Handover.Handover): void {
    one.toldLost ??= this.now()
  }

  /** The lease of what is still being worked on must not run out while nothing keeps it from being extended. */
  leaseHolds(one: Handover.Handover): void {
    if (this.capabilities.lease?.extend !== true || this.extendsBadly || one.asked !== undefined) return
    if (one.toldLost !== undefined || one.lostAt < Infinity) return
    if (this.time.now > one.leaseUntil) this.broken("leases are extended", one, "its lease ran out, untended")
  }

  // The task's functions.

  of(transaction: Transaction<unknown>): Handover.Handover | undefined {
    const order = marked(transaction, deliveryMark)
    return order === undefined ? undefined : this.handovers[order]
  }

  ofDelivery(delivery: Delivery): Handover.Handover | undefined {
    return this.of(delivery.transaction)
  }

  /** The program is called. */
  processes(transaction: Transaction<unknown>): Handover.Handover | undefined {
    const one = this.of(transaction)
    if (this.dead || one === undefined) return one
    this.acts(one, "processed")
    const first = one.begun === undefined
    if (first) Attempts.begins(this, one, transaction)
    if (one.asked !== undefined || one.outcome !== undefined) {
      this.broken("nothing after the settlement", one, `processed after it was settled (${one.asked ?? one.outcome})`)
    }
    Attempts.follows(this, one)
    this.advances(one)
    this.leaseHolds(one)
    const again = one.last === undefined || one.succeeded || one.hooks > 0 || one.decision === "Requeue"
    one.runs = again ? one.runs + 1 : one.runs
    one.attempts = again ? 1 : one.attempts + 1
    if (one.runs > this.facts.maxDeliveries + 1) {
      this.broken("maxDeliveries", one, `processed in ${one.runs} deliveries`)
    }
    one.attemptAt = this.now()
    one.succeeded = false
    one.successDone = false
    one.successes = 0
    one.outputs = undefined
    one.hooks = 0
    one.hookAnswer = undefined
    one.hookFailed = false
    one.letter = false
    one.decision = undefined
    this.tell(one, `processes ${one.id}${one.attempts > 1 ? `, attempt ${one.attempts}` : ""}`, "task", "task")
    return one
  }

  runs(one: Handover.Handover): void {
    if (this.dead) return
    one.active++
    const working = this.handovers.reduce((count, other) => other.active > 0 ? count + 1 : count, 0)
    if (working > this.facts.concurrency) {
      this.broken("concurrency", one, `${working} at a time, at most ${this.facts.concurrency}`)
    }
  }

  stops(one: Handover.Handover): void {
    if (!this.dead) one.active--
  }

  processed(one: Handover.Handover, ended: Handover.Ended, how: string): void {
    if (this.dead) return
    one.last = ended
    one.succeeded = ended.succeeded
    if (!ended.succeeded) one.troubled = true
    this.tell(one, `${one.id} ${how}`, "task", "task")
  }

  decided(one: Handover.Handover, decision: string, retryAfter: number | undefined): void {
    if (this.dead) return
    one.decision = decision
    one.retryAfter = retryAfter
    if (decision === "Abort") this.drainingSince ??= this.now()
  }

  /** What goes to a sink is being worked out: the dispatch begins. */
  dispatches(one: Handover.Handover): void {
    if (this.dead) return
    this.acts(one, "dispatched")
    this.leaseHolds(one)
    if (!one.succeeded) this.broken("dispatch after success", one, "dispatched though its program has not succeeded")
    if (one.toldLost !== undefined && one.toldLost < this.now()) {
      this.broken("nothing after a lost lease", one, "its results were dispatched after its lease was known to be lost")
    }
    one.outputs ??= new Map()
  }

  output(one: Handover.Handover, sink: string, transaction: Transaction<unknown>): void {
    if (this.dead) return
    const name = `${sink}|${transaction.id}`
    one.outputs?.set(name, "sent")
  }

  /** The success step is called. */
  succeeds(one: Handover.Handover): void {
    if (this.dead) return
    this.acts(one, "in its success step")
    this.leaseHolds(one)
    this.tell(one, `runs the success step of ${one.id}`, "task", "task")
    if (!one.succeeded || !this.confirmedAll(one)) {
      this.broken("success after dispatch", one, "its success step ran before every sink had confirmed")
    }
    if (one.successDone) this.broken("success once", one, "its success step ran again though it had succeeded")
    if (++one.successes > this.facts.successAttempts) {
      this.broken("success.retry.maxAttempts", one, `its success step ran ${one.successes} times`)
    }
  }

  /** The exception step is called. */
  excepts(one: Handover.Handover): void {
    if (this.dead) return
    this.acts(one, "in its exception step")
    this.leaseHolds(one)
    this.tell(one, `runs the exception step of ${one.id}`, "task", "task")
    if (one.asked !== undefined) this.broken("nothing after the settlement", one, "its exception step ran afterwards")
    if (one.hooks === 0) this.routes(one, "its exception step ran")
    // What the engine holds for later comes again in the same delivery, though it may not be processed before it fails.
    const answered = one.hookAnswer !== undefined || (one.hookFailed && one.hooks >= this.facts.exceptionAttempts)
    if (answered && this.local && one.hookAnswer !== "Ack") {
      one.hookAnswer = undefined
      one.hookFailed = false
      one.hooks = 0
    }
    if (one.hookAnswer !== undefined) this.broken("exception step once", one, "its exception step ran again")
    if (++one.hooks > this.facts.exceptionAttempts) {
      this.broken("exception.retry.maxAttempts", one, `its exception step ran ${one.hooks} times`)
    }
    one.troubled = true
  }

  /** A dead letter is sent. */
  buries(one: Handover.Handover): void {
    if (one.hooks === 0) this.routes(one, "a dead letter was sent")
  }

  /** What was known to be lost when its program ended is not routed any further. */
  private routes(one: Handover.Handover, what: string): void {
    if (!one.lostWhileRunning || one.last === undefined || one.toldLost === undefined) return
    if (one.last.at > one.toldLost) {
      this.broken("nothing after a lost lease", one, `${what} though its lease was known to be lost`)
    }
  }

  // Leases.

  private badly: { readonly ones: ReadonlySet<Handover.Handover>; readonly at: number } | undefined

  /** The engine asks for these leases to be extended. */
  extends(ones: ReadonlyArray<Handover.Handover>): void {
    const { badly, capabilities: { lease } } = this
    this.badly = undefined
    if (badly === undefined || lease === undefined || !this.exact || !ones.some((one) => badly.ones.has(one))) return
    const waited = this.now() - badly.at
    const most = Duration.toMillis(lease.duration) / 6
    if (waited > most + 2) {
      this.broken(
        "leases are extended",
        ones[0],
        `a failed extension was tried again after ${waited} ms, not ${most} ms`
      )
    }
  }

  extendedBadly(ones: ReadonlyArray<Handover.Handover>): void {
    this.extendsBadly = true
    this.badly = { ones: new Set(ones), at: this.now() }
  }

  // The sinks.

  /** The mark of an output: a delivery that begins anew has other outputs, of the same ids. */
  markOf(one: Handover.Handover): number {
    return one.order * mostRuns + one.runs
  }

  private ofOutput(transaction: Transaction<unknown>): Handover.Handover | undefined {
    const mark = marked(transaction, outputMark)
    const one = mark === undefined ? undefined : this.handovers[Math.floor(mark / mostRuns)]
    return one !== undefined && this.markOf(one) === mark ? one : undefined
  }

  /** Whose output it is. */
  sent(sink: string, transaction: Transaction<unknown>): Handover.Handover | undefined {
    if (this.dead) return undefined
    const name = `${sink}|${transaction.id}`
    const one = this.ofOutput(transaction)
    if (one === undefined) return undefined
    this.acts(one, "dispatched")
    if (one.asked !== undefined || (one.outcome !== undefined && this.capabilities.settlement !== "none")) {
      this.broken(
        "nothing after the settlement",
        one,
        `sent to ${sink} after it was settled (${one.asked ?? one.outcome})`
      )
    }
    if (one.outputs?.get(name) === "confirmed") {
      this.broken("a sink that confirmed is not asked again", one, `sent to ${sink} again after it had confirmed`)
    }
    return one
  }

  confirmed(sink: string, transaction: Transaction<unknown>): void {
    if (this.dead) return
    const name = `${sink}|${transaction.id}`
    const one = this.ofOutput(transaction)
    if (one?.outputs?.has(name) !== true) return
    one.outputs.set(name, "confirmed")
    one.lastConfirmed = this.now()
  }

  confirmedAll(one: Handover.Handover): boolean {
    if (this.facts.sinks.length === 0) return true
    return one.outputs !== undefined && Array.from(one.outputs.values()).every((state) => state === "confirmed")
  }

  /** It is the latest of its key that has begun. */
  private advances(one: Handover.Handover): void {
    if (one.key === undefined) return
    const latest = this.begunOfKey.get(one.key) ?? -1
    if (latest < one.order) this.begunOfKey.set(one.key, one.order)
  }

  /** Something of this one happens: not while a later one of its lane has already begun. */
  acts(one: Handover.Handover, what: string): void {
    if (this.dead || !this.facts.lanes || one.key === undefined) return
    if ((this.begunOfKey.get(one.key) ?? -1) > one.order) {
      this.broken("order by key", one, `${what} while a later one of its key "${one.key}" has already begun`)
    }
  }
}

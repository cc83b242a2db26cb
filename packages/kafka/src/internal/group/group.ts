/**
 * A source's place in its consumer group, for as long as the connector lives: one session after another.
 *
 * Whatever ends a session, the next one begins after a rest. What cannot pass (credentials that are refused, a topic that
 * is not there) is told to whoever fetches, and is tried again all the same: somebody may put it right.
 */
import { type Connector, type ConnectorError, type Delivery, type Disposition, Reason } from "@ergon/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Clients } from "../client/clients.ts"
import { reasonOf } from "../client/reason.ts"
import type { SourceSettings } from "../settings/source.ts"
import { Signal } from "../signal.ts"
import { type Partition, Place } from "./partition.ts"
import { Session } from "./session.ts"
import { watchdog } from "./watchdog.ts"

const rest = 500
// After what cannot pass by itself: credentials that are refused should not be tried twice a second.
const longRest = 5000
// How long a commit waits for the end of a rebalance before it says that it could not.
const patience = 20_000

export class Group {
  readonly settings: SourceSettings
  /** Something arrived, was lost, or changed its state. */
  readonly changed = new Signal()
  session: Session | undefined
  closed = false
  private readonly clients: Clients
  private epoch = 0
  private asked = 64
  private turn = 0
  private lastProblem: Reason.Reason | undefined

  constructor(clients: Clients, settings: SourceSettings) {
    this.clients = clients
    this.settings = settings
  }

  /** Sessions for ever, until the scope is closed. */
  get live(): Effect.Effect<never> {
    const once = Effect.scoped(Effect.gen({ self: this }, function*() {
      const session = yield* Session.open({
        clients: this.clients,
        settings: this.settings,
        most: () => this.settings.highWaterMark ?? Math.max(1024, 8 * this.asked),
        nextEpoch: () => ++this.epoch,
        changed: this.changed
      })
      this.session = session
      yield* Effect.forkScoped(watchdog(session))
      const reason = yield* Deferred.await(session.ended)
      if (!this.closed) yield* this.tell(`the session has ended, another one follows: ${reason.message}`)
      return yield* Effect.fail(reason)
    }))
    const failed = (reason: Reason.Reason) =>
      Effect.suspend(() => {
        this.lastProblem = reason
        this.session = undefined
        this.changed.wake()
        return Effect.sleep(reason.isRetryable ? rest : longRest)
      })
    // A defect of the client is no end either.
    const defect = (defect: unknown) => failed(reasonOf("the client failed", defect))
    return Effect.forever(once.pipe(Effect.catch(failed), Effect.catchDefect(defect)))
  }

  private tell(message: string): Effect.Effect<void> {
    return Effect.logWarning(`${this.settings.what}: ${message}`)
  }

  /** Why nothing comes; `undefined` where all is well. */
  get problem(): Reason.Reason | undefined {
    const { session } = this
    if (session === undefined) return this.lastProblem ?? notYet
    if (session.isStable)
      return [...session.partitions.values()].every(({ offsets }) => offsets !== undefined) ?
        undefined :
        session.problem ?? notYet
    return session.problem ?? notYet
  }

  /** At most `max` of what has arrived, one partition after the other. */
  take(max: number): ReadonlyArray<Delivery.Delivery> {
    this.asked = Math.max(this.asked, max)
    const { session } = this
    if (this.closed || session === undefined || !session.isStable) return []
    const ready = [...session.partitions.values()].filter(({ buffered }) => buffered > 0)
    const deliveries: Array<Delivery.Delivery> = []
    const now = Date.now()
    for (let i = 0; i < ready.length && deliveries.length < max; i++) {
      const partition = ready[(this.turn + i) % ready.length]!
      const share = Math.ceil((max - deliveries.length) / (ready.length - i))
      partition.take(share, now, this.settings, deliveries)
    }
    this.turn++
    if (deliveries.length > 0) this.changed.wake()
    return deliveries
  }

  /** When something that is here already may be handed over. */
  get nextDue(): number {
    let due = Infinity
    for (const partition of this.session?.partitions.values() ?? []) due = Math.min(due, partition.dueAt())
    return due
  }

  /** Whether the cluster says that nothing is there: everything up to the ends of our partitions has arrived. */
  get isEmpty(): Effect.Effect<boolean, Reason.Reason> {
    return Effect.suspend(() => {
      const { session } = this
      if (session === undefined || !session.isStable) return Effect.succeed(false)
      const partitions = [...session.partitions.values()]
      if (partitions.some(({ offsets }) => offsets === undefined)) return Effect.succeed(false)
      if (partitions.length === 0) return Effect.succeed(true)
      return Effect.map(
        session.offsets("latest", partitions),
        (ends) =>
          session.isStable && partitions.every((partition) => {
            const end = ends.get(partition.topic)?.[partition.index]
            return partition.held && end !== undefined && partition.fetchFrom >= end && partition.dueAt() > Date.now()
          })
      )
    })
  }

  /** What the group has not committed, in all partitions of the topics; what is in flight here, and what is delayed. */
  get count(): Effect.Effect<Connector.Count, Reason.Reason> {
    return Effect.suspend(() => {
      const { session } = this
      if (session === undefined) return Effect.fail(this.lastProblem ?? notYet)
      return Effect.gen({ self: this }, function*() {
        const ends = yield* session.offsets("latest")
        const starts = yield* session.offsets("earliest")
        const committed = yield* session.committed(
          [...ends].map(([topic, offsets]) => ({ topic, partitions: [...offsets.keys()] }))
        )
        let all = 0
        for (const [topic, offsets] of ends) {
          offsets.forEach((end, index) => {
            const position = committed.get(topic)?.[index] ?? -1
            const start = starts.get(topic)?.[index] ?? 0
            const from = position >= 0 ? position : this.settings.start === "latest" ? end : start
            if (end > from) all += end - (from > start ? from : start)
          })
        }
        let inFlight = 0
        let delayed = 0
        for (const partition of session.partitions.values()) {
          inFlight += partition.offsets?.open ?? 0
          delayed += partition.delayed
        }
        return { ready: Math.max(0, all - inFlight - delayed), inFlight, delayed }
      })
    })
  }

  /** Commits what the settlements stand for. */
  settle(settlements: ReadonlyArray<Disposition.Settlement>): Effect.Effect<ReadonlyArray<ConnectorError.Failed>> {
    return Effect.suspend(() => {
      const failed: Array<ConnectorError.Failed> = []
      const places: Array<readonly [number, Place]> = []
      for (const [index, { delivery: { receipt }, disposition }] of settlements.entries()) {
        if (!(receipt instanceof Place)) failed.push({ index, reason: foreign })
        else if (!receipt.partition.held) failed.push({ index, reason: lost })
        else if (disposition._tag === "Release") receipt.partition.giveBack(receipt)
        else if (disposition._tag !== "Ack") failed.push({ index, reason: unsupported })
        else {
          receipt.partition.offsets?.done(receipt.offset)
          places.push([index, receipt])
        }
      }
      this.changed.wake()
      const partitions = new Set(places.map(([, { partition }]) => partition))
      return Effect.map(this.commit(partitions, Date.now() + patience), (problems) => {
        for (const [index, { partition }] of places) {
          const reason = problems.get(partition)
          if (reason !== undefined) failed.push({ index, reason })
        }
        return failed
      })
    })
  }

  /** Commits what is due of these partitions; answers with those that could not be, and why. */
  private commit(
    partitions: Iterable<Partition>,
    until: number
  ): Effect.Effect<ReadonlyMap<Partition, Reason.Reason>> {
    return Effect.suspend(() => {
      const problems = new Map<Partition, Reason.Reason>()
      const due: Array<readonly [Partition, number]> = []
      for (const partition of partitions) {
        const position = partition.offsets?.due
        if (position === undefined) continue
        if (partition.held) due.push([partition, position])
        else problems.set(partition, lost)
      }
      const { session } = this
      if (due.length === 0) return Effect.succeed(problems)
      // Held partitions are those of the session that lives.
      if (session === undefined) return Effect.succeed(problems)
      return Effect.matchEffect(session.commit(due), {
        onSuccess: () =>
          Effect.sync(() => {
            for (const [partition, position] of due) partition.offsets?.confirm(position)
            return problems
          }),
        onFailure: ({ codes, reason }) => {
          const rebalancing = codes.has("REBALANCE_IN_PROGRESS") || codes.has("ILLEGAL_GENERATION")
          if (codes.has("UNKNOWN_MEMBER_ID") || codes.has("FENCED_INSTANCE_ID")) session.forgotten()
          else if (!rebalancing || Date.now() >= until) {
            for (const [partition] of due) problems.set(partition, partition.held ? toRetry(reason) : lost)
            return Effect.succeed(problems)
          }
          // The group is about to say what stays ours: then it is committed, or lost.
          const again = Effect.suspend(() => this.commit(due.map(([partition]) => partition), until))
          const wait = rebalancing ? this.rebalanced(session, until) : Effect.void
          return Effect.map(Effect.andThen(wait, again), (more) => new Map([...problems, ...more]))
        }
      })
    })
  }

  /** The end of the rebalance in which a commit was refused. */
  private rebalanced(session: Session, until: number): Effect.Effect<void> {
    const { since } = session
    const stable = session.isStable
    const wait: Effect.Effect<void> = Effect.suspend(() => {
      const over = session.state === "ended" || (session.isStable && (!stable || session.since !== since))
      const left = until - Date.now()
      return over || left <= 0 ? Effect.void : Effect.andThen(this.changed.change(Math.min(left, 500)), wait)
    })
    return wait
  }

  /** Ends what waits, leaves the group. */
  close(): void {
    this.closed = true
    this.changed.wake()
  }
}

/** Runs a group in the scope. */
export const openGroup = (clients: Clients, settings: SourceSettings): Effect.Effect<Group, never, Scope.Scope> =>
  Effect.gen(function*() {
    const group = new Group(clients, settings)
    yield* Effect.forkScoped(group.live)
    yield* Effect.addFinalizer(() => Effect.sync(() => group.close()))
    return group
  })

const notYet = new Reason.ConnectionLost({ message: "joining the group" })
const lost = new Reason.LeaseLost({
  message: "the partition went to another member of the group, or the session ended"
})
const foreign = new Reason.InvalidRequest({ message: "the receipt is not one of this source" })
const unsupported = new Reason.Unsupported({ message: "Kafka settles by position: this disposition has none" })

/** A refusal to commit that may pass is never final: the position is sent again with the next one. */
const toRetry = (reason: Reason.Reason): Reason.Reason =>
  reason._tag === "LeaseLost" ? new Reason.Timeout({ message: reason.message }) : reason

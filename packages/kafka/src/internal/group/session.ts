/**
 * One membership in a consumer group.
 *
 *     joining -> stable -> draining -> rejoining -> stable
 *                  |          |            |
 *                  +----------+------------+--> ended: heartbeats unanswered, a join refused, nothing arrives although
 *                                               there is something. Everything it held is lost; a new session follows
 *
 * - draining: the group rebalances. Nothing more is handed over; what was may be finished and committed for at most
 *   `drain`, and only then is the group told that this member is ready for its new share.
 * - A partition that this member has before and after a rebalance was nobody else's meanwhile, as long as the group knows
 *   it by the same member id: it stays as it is, with all that is in flight. Every other one is lost.
 * - Three client objects, each with connections of its own: the member joins and beats, which may block; the fetcher
 *   waits for messages; the committer asks for offsets and commits, with the member id and the generation of what is to be
 *   committed, and never joins, so that nothing is committed for a partition that has gone.
 */
import { Reason } from "@ergon/core"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { ask, type Clients, type RawConsumer } from "../client/clients.ts"
import { idsOf, reasonOf } from "../client/reason.ts"
import type { SourceSettings } from "../settings/source.ts"
import type { Signal } from "../signal.ts"
import { fetching, isolationOf } from "./fetching.ts"
import { Partition } from "./partition.ts"

export interface SessionOptions {
  readonly clients: Clients
  readonly settings: SourceSettings
  /** The high-water mark, in messages. */
  readonly most: () => number
  /** A number that no other partition object has. */
  readonly nextEpoch: () => number
  /** Something arrived, was lost, or changed its state. */
  readonly changed: Signal
}

const rest = 500

/** A commit that failed: why, and the codes that Kafka gave. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly codes: ReadonlySet<string>
  readonly reason: Reason.Reason
}> {}

export class Session {
  readonly settings: SourceSettings
  readonly partitions = new Map<string, Partition>()
  readonly ended = Deferred.makeUnsafe<Reason.Reason>()
  state: "joining" | "stable" | "draining" | "rejoining" | "ended" = "joining"
  /** When it came to its state. */
  since = Date.now()
  /** When the group last answered a heartbeat, or let us in. */
  beatAt = Date.now()
  /** When a fetch was last answered. */
  fetchedAt = Date.now()
  /** Commits that are on their way for the first time: a drain waits for them. */
  committing = 0
  /** What failed last; `undefined` while all is well. */
  problem: Reason.Reason | undefined
  private readonly options: SessionOptions
  private readonly member: RawConsumer
  private readonly committer: RawConsumer
  private memberId: string | null = null
  private generation = 0

  private constructor(
    options: SessionOptions,
    member: RawConsumer,
    committer: RawConsumer
  ) {
    this.options = options
    this.settings = options.settings
    this.member = member
    this.committer = committer
  }

  /** Joins, in the background; closing the scope leaves the group. Fails when the cluster cannot be reached. */
  static open(options: SessionOptions): Effect.Effect<Session, Reason.Reason, Scope.Scope> {
    return Effect.gen(function*() {
      const { clients, settings } = options
      const { requestTimeout } = clients.settings
      const { group, instanceId, topics } = settings
      const other = { group, retries: 0, requestTimeout: settings.maxWait + requestTimeout }
      const fetcher = yield* clients.consumer(other)
      yield* ask("asking for the topics", () => fetcher.metadata({ topics: [...topics] }))
      fetcher.topics.trackAll(...topics)
      const committer = yield* clients.consumer({ ...other, requestTimeout })
      // A join is answered when all members have come, which may take as long as a rebalance.
      const member = yield* clients.consumer({
        group,
        instanceId,
        retries: 2,
        requestTimeout: settings.rebalance + requestTimeout,
        joins: true
      })
      member.topics.trackAll(...topics)
      const session = new Session(options, member, committer)
      yield* Effect.addFinalizer(() => Effect.sync(() => session.end(closing)))
      const run = Effect.runForkWith(yield* Effect.context<never>())
      session.listen((effect) => run(effect))
      yield* Effect.forkScoped(session.join((effect) => run(effect)))
      const room = options.changed
      yield* Effect.forkScoped(fetching({
        settings,
        fetcher,
        partitions: session.partitions,
        most: options.most,
        isFull: () => session.isFull,
        room,
        arrived: (messages) => {
          session.fetchedAt = Date.now()
          session.problem = undefined
          if (messages > 0) room.wake()
        },
        failed: (reason) => {
          session.problem = reason
        }
      }))
      return session
    })
  }

  /** Whether deliveries may be handed over. */
  get isStable(): boolean {
    return this.state === "stable"
  }

  /** Whether no more is fetched: enough waits here. */
  get isFull(): boolean {
    let buffered = 0
    for (const partition of this.partitions.values()) buffered += partition.buffered
    return buffered >= this.options.most()
  }

  /** Everything is lost, and nothing more happens. */
  end(reason: Reason.Reason): void {
    if (this.state === "ended") return
    this.to("ended")
    this.problem = reason
    this.loseAll()
    Deferred.doneUnsafe(this.ended, Effect.succeed(reason))
    this.options.changed.wake()
  }

  /** The group does not know this member any more: what it holds is somebody else's. Its heartbeats make it join again. */
  forgotten(): void {
    this.loseAll()
    this.to("rejoining")
    this.options.changed.wake()
  }

  /** Commits positions of partitions that are held, with the generation in which they are. */
  commit(positions: ReadonlyArray<readonly [Partition, number]>): Effect.Effect<void, Refused> {
    return Effect.suspend(() => {
      this.committing++
      this.committer.memberId = this.memberId
      this.committer.generationId = this.generation
      return Effect.tryPromise({
        try: () =>
          this.committer.commit({
            offsets: positions.map(([{ index, topic }, offset]) => ({
              topic,
              partition: index,
              offset: BigInt(offset),
              leaderEpoch: -1
            }))
          }),
        catch: (error) => new Refused({ codes: idsOf(error), reason: reasonOf("committing", error) })
      })
    }).pipe(Effect.ensuring(Effect.sync(() => {
      this.committing--
      this.options.changed.wake()
    })))
  }

  /** The ends of these partitions: the offset after the last message, or of the first. */
  offsets(at: "earliest" | "latest", partitions?: ReadonlyArray<Partition>) {
    const asked = ask(`looking for the ${at} offsets`, () => {
      const only: Record<string, Array<number>> = {}
      for (const { index, topic } of partitions ?? []) (only[topic] ??= []).push(index)
      return this.committer.listOffsets({
        topics: partitions === undefined ? [...this.settings.topics] : Object.keys(only),
        ...partitions === undefined ? {} : { partitions: only },
        isolationLevel: isolationOf(this.settings),
        timestamp: at === "earliest" ? -2n : -1n
      })
    })
    return Effect.map(asked, inNumbers)
  }

  /** The committed positions of the group; -1 where there is none. */
  committed(topics: ReadonlyArray<{ readonly topic: string; readonly partitions: ReadonlyArray<number> }>) {
    const asked = ask("asking for the committed offsets", () =>
      this.committer.listCommittedOffsets({
        topics: topics.map(({ partitions, topic }) => ({ topic, partitions: [...partitions] }))
      }))
    return Effect.map(asked, inNumbers)
  }

  private to(state: Session["state"]): void {
    if (this.state === "ended" || this.state === state) return
    this.state = state
    this.since = Date.now()
    this.options.changed.wake()
  }

  private listen(run: (effect: Effect.Effect<void>) => void): void {
    const { member } = this
    member.on("consumer:heartbeat:end", () => {
      this.beatAt = Date.now()
    })
    member.on("consumer:heartbeat:error", ({ error }) => {
      this.problem = reasonOf("a heartbeat", error)
    })
    member.on("consumer:heartbeat:stalled", () => {
      this.end(new Reason.ConnectionLost({ message: "the group has not answered heartbeats" }))
    })
    member.on("error", (error: Error) => this.end(reasonOf("rejoining the group", error)))
    member.on("consumer:group:rebalance", () => {
      if (this.state === "stable") this.to("draining")
      if (member.memberId !== this.memberId) this.loseAll()
    })
    member.on("consumer:group:join", () => this.assigned(run))
  }

  private join(run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>): Effect.Effect<void> {
    const { heartbeat, rebalance, session } = this.settings
    return ask("joining the group", () =>
      this.member.joinGroup({
        sessionTimeout: session,
        rebalanceTimeout: rebalance,
        heartbeatInterval: heartbeat,
        heartbeatStallTimeout: session,
        protocols: [{ name: "roundrobin", version: 1 }],
        // Called before every join: the group waits for it. It carries no data of ours.
        protocolsMetadata: () => Effect.runPromise(Effect.as(Fiber.await(run(this.drain)), Buffer.alloc(0)))
      })).pipe(
        Effect.matchEffect({
          onFailure: (reason) => Effect.sync(() => this.end(reason)),
          onSuccess: () => Effect.void
        })
      )
  }

  /** What was handed over is finished, within a bound. */
  private get drain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.member.memberId !== this.memberId) this.loseAll()
      if (this.state === "stable") this.to("draining")
      const until = Date.now() + this.settings.drain
      const wait: Effect.Effect<void> = Effect.suspend(() => {
        const left = until - Date.now()
        const busy = this.committing > 0 ||
          [...this.partitions.values()].some(({ offsets }) => (offsets?.open ?? 0) > 0)
        return busy && left > 0 && this.state === "draining"
          ? Effect.andThen(this.options.changed.change(left), wait)
          : Effect.void
      })
      return wait
    }).pipe(Effect.ensuring(Effect.sync(() => this.to(this.state === "draining" ? "rejoining" : this.state))))
  }

  private assigned(run: (effect: Effect.Effect<void>) => void): void {
    if (this.state === "ended") return
    const { assignments, generationId, memberId } = this.member
    if (memberId !== this.memberId) this.loseAll()
    this.memberId = memberId
    this.generation = generationId
    const ours = new Map<string, readonly [string, number]>()
    for (const { partitions, topic } of assignments ?? []) {
      for (const index of partitions) ours.set(`${topic}/${index}`, [topic, index])
    }
    for (const [name, partition] of this.partitions) if (!ours.has(name)) this.lose(partition)
    const added: Array<Partition> = []
    for (const [name, [topic, index]] of ours) {
      if (this.partitions.has(name)) continue
      const partition = new Partition(topic, index, this.options.nextEpoch())
      this.partitions.set(name, partition)
      added.push(partition)
    }
    this.beatAt = Date.now()
    this.fetchedAt = Date.now()
    this.to("stable")
    if (added.length > 0) run(this.begin(added))
    this.options.changed.wake()
  }

  /** Finds out where new partitions begin; tried until it is known. */
  private begin(added: ReadonlyArray<Partition>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const partitions = added.filter(({ held, offsets }) => held && offsets === undefined)
      if (partitions.length === 0 || this.state === "ended") return Effect.void
      return Effect.matchEffect(this.positions(partitions), {
        onFailure: (reason) => {
          this.problem = reason
          return reason._tag === "InvalidRequest"
            ? Effect.sync(() => this.end(reason))
            : Effect.andThen(Effect.sleep(rest), this.begin(partitions))
        },
        onSuccess: (found) =>
          Effect.sync(() => {
            for (const [partition, position] of found) {
              if (partition.held && partition.offsets === undefined) partition.begin(position)
            }
            this.options.changed.wake()
          })
      })
    })
  }

  private positions(partitions: ReadonlyArray<Partition>) {
    return Effect.gen({ self: this }, function*() {
      const { start, what } = this.settings
      const topics = new Map<string, Array<number>>()
      for (const { index, topic } of partitions) topics.set(topic, [...topics.get(topic) ?? [], index])
      const committed = yield* this.committed([...topics].map(([topic, partitions]) => ({ topic, partitions })))
      const of = ({ index, topic }: Partition) => committed.get(topic)?.[index] ?? -1
      const without = partitions.filter((partition) => of(partition) < 0)
      if (without.length > 0 && start === "fail") {
        return yield* new Reason.InvalidRequest({
          message: `${what}: the group has no position for ${without[0]!.name}, and start is "fail"`
        })
      }
      const first = without.length === 0
        ? undefined
        : yield* this.offsets(start === "latest" ? "latest" : "earliest", without)
      return partitions.map((partition): readonly [Partition, number] => {
        const position = of(partition)
        return [partition, position >= 0 ? position : first?.get(partition.topic)?.[partition.index] ?? 0]
      })
    })
  }

  private lose(partition: Partition): void {
    partition.lose()
    if (this.partitions.get(partition.name) === partition) this.partitions.delete(partition.name)
  }

  private loseAll(): void {
    for (const partition of [...this.partitions.values()]) this.lose(partition)
  }
}

/** Offsets by topic and partition. They stay far below 2^53: numbers cost less than big integers. */
const inNumbers = (offsets: ReadonlyMap<string, ReadonlyArray<bigint>>): Map<string, ReadonlyArray<number>> =>
  new Map(Array.from(offsets, ([topic, of]) => [topic, of.map(Number)]))

const closing = new Reason.InvalidRequest({ message: "the connector is closed" })

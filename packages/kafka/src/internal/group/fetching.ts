/**
 * Fetches for the partitions that are ours: one request at a time for each broker that leads some of them.
 *
 * Every request names the position of each partition, and an answer goes to exactly the partition object that asked: an
 * answer that comes after a rebalance has nobody to go to. Partitions whose buffer is more than half full are left out.
 * So no more is in memory than the high-water mark and one answer of each broker, `maxBytes` for each partition of it.
 */
import { Reason } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { RawConsumer } from "../client/clients.ts"
import { ask } from "../client/clients.ts"
import { idsOf } from "../client/reason.ts"
import type { SourceSettings } from "../settings/source.ts"
import type { Partition } from "./partition.ts"
import type { Signal } from "../signal.ts"

/** What fetching needs to know of its session, and tells it. */
export interface Fetched {
  readonly settings: SourceSettings
  readonly fetcher: RawConsumer
  readonly partitions: ReadonlyMap<string, Partition>
  /** The high-water mark, in messages. */
  readonly most: () => number
  readonly isFull: () => boolean
  /** Something was assigned, lost or handed over: there may be room. */
  readonly room: Signal
  readonly arrived: (messages: number) => void
  readonly failed: (reason: Reason.Reason) => void
}

interface Metadata {
  readonly topics: ReadonlyMap<string, {
    readonly id: string
    readonly partitions: ReadonlyArray<{ readonly leader: number }>
  }>
}

type Response = Awaited<ReturnType<RawConsumer["fetch"]>>
type RecordsBatch = NonNullable<Response["responses"][number]["partitions"][number]["records"]>[number]

const isolation = { read_committed: 1, read_uncommitted: 0 } as const
export const isolationOf = ({ isolation: level }: SourceSettings): number => isolation[level]

// With a partition left out for its full buffer, an answer must not take long: it may be empty soon.
const shortWait = 20
const rest = 250
const controlRecords = 1 << 5

/** Fetches for ever: one loop for each leader, made as it is seen. */
export const fetching = (session: Fetched): Effect.Effect<never> =>
  Effect.gen(function*() {
    const loops = new Set<number>()
    let metadata: Metadata = { topics: new Map() }
    let stale = false
    const refresh = ask("asking for the leaders of the partitions", () => {
      if (stale) session.fetcher.clearMetadata()
      return session.fetcher.metadata({ topics: [...session.settings.topics] })
    })
    const spoiled = (reason: Reason.Reason) =>
      Effect.suspend(() => {
        stale = true
        session.failed(reason)
        return Effect.sleep(rest)
      })
    const leaderOf = ({ index, topic }: Partition) => metadata.topics.get(topic)?.partitions[index]?.leader
    const loop = (node: number): Effect.Effect<never> =>
      Effect.forever(Effect.suspend(() => {
        if (session.isFull()) return session.room.change(1000)
        const share = Math.max(1, session.most() / Math.max(1, session.partitions.size))
        const asked: Array<Partition> = []
        let full = false
        for (const partition of session.partitions.values()) {
          if (!partition.held || partition.offsets === undefined || leaderOf(partition) !== node) continue
          if (partition.buffered >= share) full = true
          else asked.push(partition)
        }
        if (asked.length === 0) return session.room.change(1000)
        return request(session, metadata, node, asked, full).pipe(Effect.catch(spoiled))
      }))
    return yield* Effect.scoped(Effect.gen(function*() {
      while (true) {
        yield* Effect.matchEffect(refresh, {
          onFailure: spoiled,
          onSuccess: (found) =>
            Effect.sync(() => {
              metadata = found
              stale = false
            })
        })
        for (const partition of session.partitions.values()) {
          const node = leaderOf(partition)
          if (node === undefined || node < 0 || loops.has(node)) continue
          loops.add(node)
          yield* Effect.forkScoped(loop(node))
        }
        yield* session.room.change(1000)
        // A hand-over wakes it as well; the leaders of what is new are soon enough seen.
        yield* Effect.sleep(20)
      }
    }))
  })

const request = (
  session: Fetched,
  metadata: Metadata,
  node: number,
  asked: ReadonlyArray<Partition>,
  full: boolean
): Effect.Effect<void, Reason.Reason> => {
  const { maxBytes, maxWait } = session.settings
  const from = new Map(asked.map((partition) => [partition, partition.fetchFrom]))
  const topics = new Map<string, Array<Partition>>()
  for (const partition of asked) {
    const of = topics.get(partition.topic)
    if (of === undefined) topics.set(partition.topic, [partition])
    else of.push(partition)
  }
  const names = new Map<string, string>()
  for (const topic of topics.keys()) names.set(metadata.topics.get(topic)?.id ?? topic, topic)
  const options = {
    node,
    minBytes: 1,
    maxBytes: maxBytes * asked.length,
    maxWaitTime: full ? shortWait : maxWait,
    isolationLevel: isolationOf(session.settings),
    topics: [...topics].map(([topic, partitions]) => ({
      topicId: metadata.topics.get(topic)?.id ?? topic,
      partitions: partitions.map((partition) => ({
        partition: partition.index,
        fetchOffset: BigInt(partition.fetchFrom),
        partitionMaxBytes: maxBytes,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1
      }))
    }))
  }
  const find = (topicId: string, index: number) => {
    const topic = names.get(topicId)
    return asked.find((partition) => partition.topic === topic && partition.index === index)
  }
  const accept = (response: Response): void => {
    let messages = 0
    for (const { partitions, topicId } of response.responses) {
      for (const { partitionIndex, records } of partitions) {
        const partition = find(topicId, partitionIndex)
        // It was lost, or its position was set anew, while the request was on its way.
        if (partition === undefined || !partition.held || partition.fetchFrom !== from.get(partition)) continue
        for (const batch of records ?? []) messages += take(partition, batch)
      }
    }
    session.arrived(messages)
  }
  let refused: unknown
  const asking = ask("fetching", async () => {
    try {
      return await session.fetcher.fetch(options)
    } catch (error) {
      refused = error
      throw error
    }
  })
  return asking.pipe(
    Effect.map(accept),
    Effect.catch((reason) => outOfRange(refused) ? restart(session, asked, refused, find) : Effect.fail(reason))
  )
}

/** The records of a batch into their partition. Control records have an offset and nothing else. */
const take = (partition: Partition, batch: RecordsBatch): number => {
  const firstOffset = Number(batch.firstOffset)
  const firstTimestamp = Number(batch.firstTimestamp)
  let messages = 0
  if ((batch.attributes & controlRecords) === 0) {
    for (const { headers, key, offsetDelta, timestampDelta, value } of batch.records) {
      const timestamp = firstTimestamp + Number(timestampDelta)
      if (partition.push({ offset: firstOffset + offsetDelta, timestamp, key, value, headers })) messages++
    }
  }
  const after = firstOffset + batch.lastOffsetDelta + 1
  if (after > partition.fetchFrom) partition.fetchFrom = after
  return messages
}

const outOfRange = (error: unknown): boolean => idsOf(error).has("OFFSET_OUT_OF_RANGE")

interface Refusal {
  readonly response: Response
}

const isRefusal = (error: unknown): error is Refusal => Predicate.hasProperty(error, "response")

/** Retention has removed what was to be fetched next: the partition begins anew, by the option `start`. */
const restart = (
  session: Fetched,
  asked: ReadonlyArray<Partition>,
  error: unknown,
  find: (topicId: string, index: number) => Partition | undefined
): Effect.Effect<void, Reason.Reason> =>
  Effect.suspend(() => {
    const { start } = session.settings
    if (start === "fail" || !isRefusal(error)) {
      return Effect.fail(
        new Reason.InvalidRequest({
          message:
            `${session.settings.what}: the position of a partition is no longer there: its messages were removed ` +
            `before they were consumed. start: "earliest" or "latest" goes on`
        })
      )
    }
    const gone = error.response.responses.flatMap(({ partitions, topicId }) =>
      partitions.flatMap(({ errorCode, partitionIndex }) => errorCode === 1 ? find(topicId, partitionIndex) ?? [] : [])
    )
    const partitions: Record<string, Array<number>> = {}
    for (const { index, topic } of gone.length === 0 ? asked : gone) (partitions[topic] ??= []).push(index)
    return Effect.flatMap(
      ask("looking for the beginning of a partition", () =>
        session.fetcher.listOffsets({
          topics: Object.keys(partitions),
          partitions,
          timestamp: start === "earliest" ? -2n : -1n
        })),
      (offsets) =>
        Effect.forEach(gone, (partition) => {
          const offset = offsets.get(partition.topic)?.[partition.index]
          if (offset !== undefined && partition.held) partition.fetchFrom = Number(offset)
          return Effect.logWarning(
            `${session.settings.what}: ${partition.name} goes on at ${offset}: what was to come next is no longer there`
          )
        }, { discard: true })
    )
  })

/**
 * A Kafka broker of a test's own: librdkafka's mock cluster of one broker, which `kcat` runs. It makes topics of four
 * partitions as they are asked for, and forgets everything when it ends.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Program from "./Program.ts"
import * as Services from "./Services.ts"

/**
 * What its tests need.
 *
 * @category services
 * @since 0.1.0
 */
export const needs: Services.Service = Services.program("kcat", "apt-get install kcat")

/**
 * It did not say where it listens.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotStarted extends Data.TaggedError("NotStarted")<{ readonly message: string }> {}

/**
 * A running mock broker.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mock {
  readonly port: number
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  readonly log: Effect.Effect<string>
}

/**
 * Starts one: at most 20 s.
 *
 * @category constructors
 * @since 0.1.0
 */
export const mock: Effect.Effect<Mock, NotStarted, Scope.Scope> = Effect.gen(function*() {
  const program = yield* Program.start({
    command: "kcat",
    args: ["-C", "-b", "unused:1", "-t", "keepalive", "-X", "test.mock.num.brokers=1", "-d", "mock"]
  })
  // The end of its log only: the first lines are read while they are there.
  const port = yield* program.log.pipe(
    Effect.flatMap((log) => {
      const found = /bootstrap\.servers=127\.0\.0\.1:(\d+)/.exec(log)
      return found === null ?
        Effect.fail(new NotStarted({ message: `kcat does not listen:\n${log}` })) :
        Effect.succeed(
          Number(found[1])
        )
    }),
    Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 400 })
  )
  return { port, freeze: program.freeze, thaw: program.thaw, kill: Effect.asVoid(program.kill), log: program.log }
})

const newest: Readonly<Record<string, number>> = { ListOffsets: 3, InitProducerId: 2 }

// Long enough for the other members to have synced.
const leaderLast = 60

type Ask = (options: unknown, callback: (...answer: ReadonlyArray<unknown>) => void) => void

/** What is called by this symbol of the client, on itself or on what it inherits from. */
const symbolOf = (client: object, description: string): symbol => {
  for (let owner: object | null = client; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    const found = Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description)
    if (found !== undefined) return found
  }
  throw new Error(`@platformatic/kafka has no ${description} any more`)
}

/** A member that is in the middle of a join. */
const isJoining = (client: object): boolean =>
  "memberId" in client && client.memberId !== null && "isActive" in client &&
  typeof client.isActive === "function" && client.isActive() === false && "topics" in client &&
  client.topics instanceof Map && client.topics.size > 0

/**
 * Makes a client of `@platformatic/kafka` fit the mock. A real broker needs none of this.
 *
 * - It asks in versions that the mock speaks, which announces two that it does not.
 * - A leader syncs last: the mock completes a rebalance as soon as the leader has synced, and refuses who comes later. A
 *   leader asks for the metadata once more before it syncs, so a delay there is enough.
 *
 * @category constructors
 * @since 0.1.0
 */
export const prepare = async (
  client: { readonly listApis: () => Promise<ReadonlyArray<{ readonly name: string; readonly maxVersion: number }>> }
): Promise<void> => {
  const metadata = symbolOf(client, "plt.kafka.base.metadata")
  const ask = (Reflect.get(client, metadata) as Ask).bind(client)
  const delayed: Ask = (options, callback) => {
    if (isJoining(client)) setTimeout(() => ask(options, callback), leaderLast)
    else ask(options, callback)
  }
  Reflect.set(client, metadata, delayed)
  const versions = await client.listApis()
  Reflect.set(
    client,
    symbolOf(client, "plt.kafka.base.apis"),
    versions.map((one) => ({ ...one, maxVersion: Math.min(one.maxVersion, newest[one.name] ?? Infinity) }))
  )
}

import { Connector, type Delivery } from "@ergon/core"
import { Conformance, type Harness, type Law } from "@ergon/core/testing"
import { Kafka as Lab, Proxy, Services } from "@ergon/lab"
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Redacted, Schedule, Schema, Scope } from "effect"
import { Cluster, Kafka } from "./index.ts"
import { capabilities } from "./internal/source.ts"
import { cluster, options } from "./test/mock.ts"

class Out extends Connector.Sink<Out>()("out", Schema.Unknown) {}
class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}

// The mock lets the first member in after 3 s, and counts them as silence.
const session = 4000

/** Names that no other law uses. */
const place = (() => {
  let count = 0
  return () => `items-${++count}`
})()

const isReady = (source: Connector.SourceService) =>
  (source.health ?? Effect.void).pipe(Effect.retry(Schedule.spaced("20 millis")), Effect.timeout("25 seconds"))

const secret = "s3cr3t-p4ssw0rd"

/** A cluster that refuses, reached with a password. */
const refused = Effect.flatMap(
  Layer.build(
    Kafka.queue(Items, { group: "refused" }).pipe(Layer.provide(Cluster.layer({
      ...options(1),
      sasl: { mechanism: "PLAIN", username: "ada", password: Redacted.make(secret) }
    })))
  ),
  (context) => Context.get(context, Items).sink.dispatch([{ id: "a", payload: 1, metadata: {} }])
).pipe(Effect.timeout("1 second"))

/** A topic and a group of its own, reached through a proxy. */
const fresh = (port: number) =>
  Effect.map(Proxy.make(port), (proxy) => {
    const topic = place()
    const queue = (group: string) =>
      Effect.map(
        Layer.build(
          Kafka.queue(Items, { group, topic, session, watch: "2 seconds" }).pipe(
            Layer.provide(cluster(port, proxy.port))
          )
        ),
        (context) => Context.get(context, Items)
      )
    const sink = Effect.map(
      Layer.build(Kafka.sink(Out, { topic }).pipe(Layer.provide(cluster(port, proxy.port)))),
      (context) => Context.get(context, Out).sink
    )
    const source = (group: string) => Effect.map(queue(group), ({ source }) => source)
    return {
      topic,
      source,
      sink,
      // A cut that is shorter than the session costs nothing: see the fault tests.
      cut: Effect.gen(function*() {
        yield* proxy.refuse
        yield* Effect.sleep(1.5 * session)
        yield* proxy.accept
      })
    }
  })

const common = {
  time: "live",
  patience: "20 seconds",
  quiet: "700 millis",
  secrets: [secret],
  failures: [refused]
} as const

const sourceOn = (port: number): Harness.Source => ({
  ...common,
  name: "Kafka.source",
  capabilities,
  operations: ["count", "isHeld"],
  can: ["cut"],
  storage: Effect.gen(function*() {
    const { cut, sink, source, topic } = yield* fresh(port)
    const { dispatch } = yield* sink
    return {
      open: Effect.tap(source(`group-of-${topic}`), isReady),
      enqueue: dispatch,
      cut
    }
  })
})

const sinkOn = (port: number): Harness.Sink => ({
  ...common,
  name: "Kafka.sink",
  can: ["cut", "refused"],
  storage: Effect.gen(function*() {
    const { cut, sink, source, topic } = yield* fresh(port)
    let readers = 0
    return {
      open: sink,
      // A group that has committed nothing sees all of it.
      received: Effect.scoped(Effect.gen(function*() {
        const reader = yield* source(`reader-${++readers}-of-${topic}`)
        yield* isReady(reader)
        const deliveries: Array<Delivery.Delivery> = []
        while (true) {
          const more = yield* reader.fetch({ max: 100, wait: Duration.zero }).pipe(
            Effect.catchTag("Done", () => Effect.succeed([]))
          )
          if (more.length === 0) return deliveries.map(({ transaction }) => transaction)
          deliveries.push(...more)
        }
      })),
      cut,
      refused: (n: number) => ({ id: `refused-${n}`, payload: "x".repeat(1_000_001), metadata: {} })
    }
  })
})

const lawsOn = (port: number) => [Conformance.source(sourceOn(port)), Conformance.sink(sinkOn(port))]

await Services.describe([Lab.needs], "Kafka against the laws", () => {
  const results = new Map<string, Exit.Exit<void, Law.LawViolation>>()
  const scope = Scope.makeUnsafe()
  const [source = [], sink = []] = lawsOn(0)
  beforeAll(() =>
    Effect.runPromise(Effect.gen(function*() {
      const { port } = yield* Scope.provide(Lab.mock, scope)
      // Each on a topic and in a group of its own, many at once: a group of the mock takes seconds to begin.
      yield* Effect.forEach(
        lawsOn(port).flatMap((laws, side) => Conformance.applying(laws).map((law) => ({ law, side }))),
        ({ law, side }) => Effect.map(Effect.exit(law.check), (exit) => results.set(`${side} ${law.name}`, exit)),
        { concurrency: 16, discard: true }
      )
    })), 200_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  it.effect.each(Conformance.applying(source))(
    "source: $name",
    ({ name }) => results.get(`0 ${name}`) ?? Effect.die("not checked")
  )
  it.effect.each(Conformance.applying(sink))(
    "sink: $name",
    ({ name }) => results.get(`1 ${name}`) ?? Effect.die("not checked")
  )

  it("is excused from these laws, and no others", () => {
    process.stdout.write(`${Conformance.formatExcused("Kafka.source", source)}\n`)
    process.stdout.write(`${Conformance.formatExcused("Kafka.sink", sink)}\n`)
    const position = "the source commits positions: it is told only that everything up to one is done"
    const unread = "the source's dead letters cannot be read"
    const ours = "a delivery is ours for as long as the connector lives"
    assert.deepStrictEqual(Conformance.excused(source), {
      "a dead letter is kept with its reason and never comes back": position,
      "a released delivery comes back untouched": position,
      "a removed letter is gone, and no other": unread,
      "a requeue delay is respected": position,
      "a requeued delivery comes back": position,
      "an expired lease is delivered again": ours,
      "an extended lease keeps its delivery": ours,
      "an old receipt settles nothing": position,
      "each of a batch is settled by its own disposition": position,
      "extending names the lost leases": ours,
      "letters are found by the id of their transaction": unread,
      "letters are listed oldest first, as they were given up": unread,
      "pages of letters miss none while others come and go": unread,
      "putting back twice changes nothing": unread,
      "resolving an unknown id fails with NotFound": "the source has no resolve",
      "resolving claims one transaction by its id": "the source has no resolve",
      "taking back twice changes nothing": "the source takes nothing back",
      "the order is kept": "the source keeps an order for each key only",
      "unsettled deliveries never exceed the prefetch": "nothing is pushed: there is no prefetch",
      "what is put back is delivered again with a count of 0": unread,
      "what is taken back is delivered again with a count of 0": "the source takes nothing back"
    })
    assert.deepStrictEqual(Conformance.excused(sink), {})
  })
})

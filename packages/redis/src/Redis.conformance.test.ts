import { Connector } from "@ergon/core"
import { Conformance, type Harness } from "@ergon/core/testing"
import { Proxy, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { Redis, RedisClient } from "./index.ts"

class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const port = 6379
const password = `secret-${randomUUID()}`

/** A stream of its own, gone with everything beside it at the end. */
const fresh = Effect.acquireRelease(
  Effect.sync(() => `{ergon-test-${randomUUID()}}:items`),
  (stream) =>
    Effect.gen(function*() {
      const client = yield* RedisClient.RedisClient
      const base = stream.replace(":items", "")
      const beside = ["", ":ergon:again", ":ergon:delayed", ":ergon:dead"].map((one) => `${stream}${one}`)
      yield* client.send("DEL", `${stream}:ids`, `${base}:ids`, ...beside)
    }).pipe(Effect.provide(RedisClient.layer({ port })), Effect.orDie)
)

const buried = (stream: string) =>
  Effect.gen(function*() {
    const client = yield* RedisClient.RedisClient
    const entries = yield* client.send("XRANGE", `${stream}:ergon:dead`, "-", "+")
    return (entries as ReadonlyArray<readonly [string, ReadonlyArray<string>]>).map(([, fields]) => {
      const get = (name: string) => fields[fields.indexOf(name) + 1] ?? ""
      return { id: get("id"), reason: get("ergon.reason") }
    })
  }).pipe(Effect.provide(RedisClient.layer({ port })))

const queue = (options: Redis.QueueOptions): Harness.Queue => ({
  name: "Redis.queue",
  time: "live",
  capabilities: {
    settlement: "each",
    lease: { duration: Duration.seconds(2), extend: true },
    deliveries: "native",
    requeueDelay: "native",
    deadLetter: "native",
    ordering: "none"
  },
  operations: [
    "count",
    "isHeld",
    "letters",
    "putBack",
    "takeBack",
    ...(options.keep === undefined ? ["resolve" as const] : [])
  ],
  can: ["buried", "refused", "cut"],
  secrets: [password],
  failures: [
    RedisClient.RedisClient.pipe(
      Effect.flatMap((client) => client.send("PING")),
      Effect.provide(RedisClient.layer({ port, username: "nobody", password: Redacted.make(password) }))
    ),
    Layer.build(RedisClient.layer({ url: `redis://user:${password}@host:port` })),
    Layer.build(RedisClient.layer({ url: `redis://user:${password}@127.0.0.1`, password: Redacted.make(password) }))
  ],
  storage: Effect.gen(function*() {
    const stream = yield* fresh
    const proxy = yield* Proxy.make(port)
    const layer = Redis.queue(Items, { ...options, stream, lease: "2 seconds" }).pipe(
      Layer.provide(RedisClient.layer({ port: proxy.port }))
    )
    return {
      open: Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, Items)),
      cut: proxy.cut,
      buried: buried(stream),
      refused: (n: number) => ({ id: `refused-\ud800-${n}`, payload: { refused: n }, metadata: {} })
    }
  })
})

const deadLetters: Harness.DeadLetters = {
  name: "Redis.deadLetters",
  time: "live",
  storage: Effect.map(fresh, (stream) => {
    const layer = Redis.deadLetters(Dead, { stream }).pipe(Layer.provide(RedisClient.layer({ port })))
    return { open: Effect.map(Layer.build(layer), (context) => Context.get(context, Dead).deadLetters) }
  })
}

const notApplicable = {
  "a commit covers what was settled and nothing after it": "the source commits no positions",
  "a commit never goes back": "the source commits no positions",
  "the order is kept": "the source keeps no order",
  "the order of each key is kept": "the source keeps no order",
  "unsettled deliveries never exceed the prefetch": "nothing is pushed: there is no prefetch"
}

await Services.describe([Services.redis], "a stream as a queue", () => {
  const laws = Conformance.queue(queue({}))
  it.live.each(Conformance.applying(laws))("$name", ({ check }) => check, { concurrent: true, timeout: 60_000 })
  it("is excused from what it has not", ({ task }) => {
    process.stdout.write(`${Conformance.formatExcused(task.suite?.name ?? "", laws)}\n`)
    assert.deepStrictEqual(Conformance.excused(laws), notApplicable)
  })
})

await Services.describe([Services.redis], "a stream that keeps what is done, with unique ids", () => {
  const laws = Conformance.queue(queue({ keep: "1 hour", unique: 0 }))
  it.live.each(Conformance.applying(laws))("$name", ({ check }) => check, { concurrent: true, timeout: 60_000 })
  it("is excused from what it has not", ({ task }) => {
    process.stdout.write(`${Conformance.formatExcused(task.suite?.name ?? "", laws)}\n`)
    assert.deepStrictEqual(Conformance.excused(laws), {
      ...notApplicable,
      "resolving an unknown id fails with NotFound": "the source has no resolve",
      "resolving claims one transaction by its id": "the source has no resolve"
    })
  })
})

await Services.describe([Services.redis], "a stream of dead letters", () => {
  it.live.each(Conformance.deadLetters(deadLetters))("$name", ({ check }) => check, {
    concurrent: true,
    timeout: 60_000
  })
})

import { Connector, Disposition, Task, Transaction } from "@ergon/core"
import { Port, Program, Redis as Server, Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Duration, Effect, Layer, Redacted } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Redis, RedisClient } from "./index.ts"
import { order, Orders } from "./test/flow.ts"

describe("without the package redis", () => {
  it.live("it says what to install", () =>
    Effect.gen(function*() {
      const program = yield* Program.script(fileURLToPath(new URL("./test/withoutClient.ts", import.meta.url)))
      const line = yield* program.says(() => true)
      assert.strictEqual(
        line,
        "MissingClient: @ergon/redis needs the package redis, which is not installed: npm install redis@6.3.1"
      )
    }).pipe(Effect.scoped))
})

const admin = (port: number) =>
  Effect.map(
    Layer.build(Layer.fresh(RedisClient.layer({ port }))),
    (context) => Context.get(context, RedisClient.RedisClient).send
  )

const queueOf = (options: RedisClient.Options) =>
  Redis.queue(Orders, { poll: "200 millis" }).pipe(
    Layer.provide(
      Layer.fresh(RedisClient.layer({ connectTimeout: "2 seconds", commandTimeout: "2 seconds", ...options }))
    )
  )

/** Everything that a connector does. */
const everything = (layer: Layer.Layer<Orders, unknown>) =>
  Effect.gen(function*() {
    const { sink, source } = Context.get(yield* Layer.build(layer), Orders)
    const fetch = (max: number) => source.fetch({ max, wait: Duration.seconds(3) })
    yield* sink.dispatch([1, 2, 3, 4].map(order))
    const [a, b, c, d] = yield* fetch(4)
    assert.isDefined(d)
    yield* source.settle([
      Disposition.settlement(a!, Disposition.ack),
      Disposition.settlement(b!, Disposition.requeue("50 millis")),
      Disposition.settlement(c!, Disposition.deadLetter("no stock")),
      Disposition.settlement(d!, Disposition.release)
    ])
    const again = [...yield* fetch(2)]
    while (again.length < 2) again.push(...yield* fetch(2))
    assert.deepStrictEqual(yield* source.extend!(again), [])
    yield* source.settle(again.map((one) => Disposition.settlement(one, Disposition.ack)))
    const { letters } = yield* source.letters!.list({ after: undefined, max: 10 })
    yield* source.letters!.putBack!(letters.map(({ key }) => key))
    yield* source.takeBack!([Transaction.make("back", { n: 9, text: "" })])
    const last = [...yield* fetch(2)]
    while (last.length < 2) last.push(...yield* fetch(2))
    yield* source.settle(last.map((one) => Disposition.settlement(one, Disposition.ack)))
    yield* source.health!
    yield* sink.health!
    assert.deepStrictEqual(yield* source.count!, { ready: 0, inFlight: 0, delayed: 0 })
  })

const rights = ["+@stream", "+@sortedset", "+@scripting", "+@connection", "+time"]

await Services.describe([Server.needs], "a user of few rights", () => {
  it.live.each<readonly [string, ReadonlyArray<string>]>([
    ["with those that the documentation names", rights],
    ["also without those on connections", [
      ...rights.filter((one) => one !== "+@connection"),
      "+ping",
      "+hello",
      "+auth",
      "+client|setname"
    ]]
  ])("%s can do everything", ([, rights]) =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const send = yield* admin(server.port)
      yield* send("ACL", "SETUSER", "shop", "reset", "on", ">secret", "~orders", "~{orders}:*", ...rights)
      yield* everything(queueOf({ port: server.port, username: "shop", password: Redacted.make("secret") }))
    }).pipe(Effect.scoped), 30_000)

  it.live("is told of what it may not do, with the name of the command", () =>
    Effect.gen(function*() {
      const server = yield* Server.server()
      const send = yield* admin(server.port)
      yield* send("ACL", "SETUSER", "shop", "reset", "on", ">secret", "~*", ...rights, "-xadd")
      const layer = queueOf({ port: server.port, username: "shop", password: Redacted.make("secret") })
      const error = yield* Effect.flip(Effect.provide(Connector.send(Orders, order(1)), layer))
      assert.match(String(error), /Unauthorized.*xadd/)
    }).pipe(Effect.scoped), 30_000)
})

const openssl = Services.program("openssl", "apt-get install openssl")

await Services.describe([Server.needs, openssl], "an encrypted connection", () => {
  it.live("is made to whom its certificate names, and to nobody else", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "ergon-redis-tls-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
      )
      const key = join(folder, "key.pem")
      const cert = join(folder, "cert.pem")
      execFileSync("openssl", [
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert],
        ...["-subj", "/CN=redis.test", "-addext", "subjectAltName=DNS:redis.test"]
      ], { stdio: "ignore" })
      const server = yield* Server.server([
        ...["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert],
        ...["--tls-auth-clients", "optional", "--tls-replication", "no"]
      ])
      const plain = yield* admin(server.port)
      const port = yield* Port.free
      yield* plain("CONFIG", "SET", "tls-port", String(port))
      const ca = readFileSync(cert, "utf8")
      yield* everything(queueOf({ port, tls: { ca, servername: "redis.test" } }))
      yield* everything(queueOf({
        url: `rediss://127.0.0.1:${port}`,
        tls: { ca, servername: "redis.test", cert: ca, key: Redacted.make(readFileSync(key, "utf8")) }
      }))
      const env = {
        REDIS_URL: `rediss://127.0.0.1:${port}`,
        REDIS_TLS_CA: ca.replaceAll("\n", "\\n"),
        REDIS_TLS_SERVERNAME: "redis.test"
      }
      yield* everything(
        Redis.queue(Orders).pipe(
          Layer.provide(RedisClient.layerConfig()),
          Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
        )
      )
      for (const tls of [true, { ca, servername: "another.test" }] as const) {
        const error = yield* Effect.flip(
          Effect.provide(Task.run(Task.consumer("ship", Orders, () => Effect.void)), queueOf({ port, tls }))
        )
        assert.match(String(error), /InvalidRequest.*certificate is not accepted/)
      }
    }).pipe(Effect.scoped), 30_000)
})

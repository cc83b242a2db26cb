import { Connector, Transaction } from "@ergon/core"
import { Kafka as Lab, Program, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { connect, createServer as createPlainServer, type Server as NetServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createServer, type Server, type TLSSocket } from "node:tls"
import { Cluster, Kafka } from "./index.ts"
import { options } from "./test/mock.ts"

class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}

const openssl = Services.program("openssl", "apt-get install openssl")

/** A certificate for localhost that signs itself, and its key. */
const certificate = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "ergon-kafka-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")]
  yield* Program.run({
    command: "openssl",
    args: ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
      .concat("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert)
  })
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") }
})

/** TLS in front of the mock, which has none: the port where it is spoken, and how many came with a certificate of theirs. */
const secured = (target: number, identity: { readonly key: string; readonly cert: string }, asks = false) => {
  const sockets = new Set<TLSSocket>()
  const identified = { count: 0 }
  return Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer(
        { ...identity, requestCert: asks, rejectUnauthorized: asks, ca: identity.cert },
        (client) => {
          sockets.add(client)
          if (client.authorized) identified.count++
          const onward = connect(target, "127.0.0.1")
          for (const socket of [client, onward]) {
            socket.on("error", () => {}).on("close", () => {
              client.destroy()
              onward.destroy()
            })
          }
          client.pipe(onward).pipe(client)
        }
      )
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
  ).pipe(Effect.map((server) => {
    const address = server.address()
    return { port: typeof address === "object" && address !== null ? address.port : 0, identified }
  }))
}

/** The beginning of a broker: it says which versions it speaks, and that it does not know the password. */
const refusing = Effect.map(
  Effect.acquireRelease(
    Effect.callback<NetServer>((resume) => {
      const int16 = (...values: ReadonlyArray<number>) =>
        Buffer.concat(values.map((value) => {
          const bytes = Buffer.alloc(2)
          bytes.writeInt16BE(value)
          return bytes
        }))
      const int32 = (value: number) => {
        const bytes = Buffer.alloc(4)
        bytes.writeInt32BE(value)
        return bytes
      }
      const text = (value: string) => Buffer.concat([int16(value.length), Buffer.from(value)])
      const versions = [[17, 1, 1], [18, 0, 1], [36, 0, 0]]
      const answers: { readonly [api: number]: Buffer } = {
        17: Buffer.concat([int16(0), int32(1), text("PLAIN")]),
        18: Buffer.concat([int16(0), int32(versions.length), int16(...versions.flat()), int32(0)]),
        // SASL_AUTHENTICATION_FAILED
        36: Buffer.concat([int16(58), text("no such user"), int32(0)])
      }
      const server = createPlainServer((socket) => {
        socket.on("error", () => {}).on("data", (request) => {
          const answer = Buffer.concat([request.subarray(8, 12), answers[request.readInt16BE(4)] ?? Buffer.alloc(0)])
          socket.write(Buffer.concat([int32(answer.length), answer]))
        })
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ),
  (server) => {
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }
)

const queue = (on: Cluster.Options) =>
  Effect.map(
    Layer.build(Kafka.queue(Items, { group: "items", session: "4 seconds" }).pipe(Layer.provide(Cluster.layer(on)))),
    (context) => Context.get(context, Items)
  )

await Services.describe([Lab.needs, openssl], "access", () => {
  it.live(
    "is through TLS, with a certificate of the client where the cluster asks for one",
    () =>
      Effect.gen(function*() {
        const mock = yield* Lab.mock
        const identity = yield* certificate
        const { identified, port } = yield* secured(mock.port, identity, true)
        const { sink, source } = yield* queue({
          ...options(mock.port, port),
          tls: { ca: identity.cert, cert: identity.cert, key: Redacted.make(identity.key), serverName: "localhost" }
        })
        yield* sink.dispatch([Transaction.make("a", 1)])
        const [delivery] = yield* source.fetch({ max: 1, wait: Duration.seconds(20) })
        assert.strictEqual(delivery?.transaction.id, "a")
        assert.isAbove(identified.count, 2)
      }).pipe(Effect.scoped),
    40_000
  )

  it.live("is refused to a server whose certificate nobody trusts", () =>
    Effect.gen(function*() {
      const mock = yield* Lab.mock
      const { port } = yield* secured(mock.port, yield* certificate)
      const refusal = (on: Cluster.Options) =>
        Effect.gen(function*() {
          const { sink, source } = yield* queue(on)
          const sent = yield* Effect.flip(sink.dispatch([Transaction.make("a", 1)]))
          const fetched = yield* Effect.flip(source.fetch({ max: 1, wait: Duration.seconds(1) }))
          return { sent: sent.reason, fetched: fetched._tag === "FetchError" ? fetched.reason : undefined }
        }).pipe(Effect.scoped)
      const untrusted = yield* refusal({ ...options(mock.port, port), tls: true })
      for (const reason of [untrusted.sent, untrusted.fetched]) {
        assert.strictEqual(reason?._tag, "Unauthorized")
        assert.match(reason?.message ?? "", /self.signed certificate/)
      }
    }).pipe(Effect.scoped), 40_000)

  it.live("with a password that is refused fails at once, and does not tell it", () =>
    Effect.gen(function*() {
      const password = "s3cr3t-p4ssw0rd"
      const port = yield* refusing
      const { sink, source } = yield* queue({
        brokers: [`127.0.0.1:${port}`],
        sasl: { mechanism: "PLAIN", username: "ada", password: Redacted.make(password) }
      })
      const sent = yield* Effect.flip(sink.dispatch([Transaction.make("a", 1)]))
      const fetched = yield* Effect.flip(source.fetch({ max: 1, wait: Duration.seconds(1) }))
      for (const error of [sent, fetched]) {
        if (error._tag === "Done") return yield* Effect.die("it came to its end")
        assert.strictEqual(error.reason._tag, "Unauthorized", error.message)
        assert.notInclude(JSON.stringify(error), password)
        assert.notInclude(error.stack ?? "", password)
      }
    }).pipe(Effect.scoped), 40_000)

  it.live("tells no password when it is refused", () =>
    Effect.gen(function*() {
      const mock = yield* Lab.mock
      const password = "s3cr3t-p4ssw0rd"
      for (const mechanism of ["PLAIN", "SCRAM-SHA-256"] as const) {
        // The mock knows no SASL: it closes the connection, or says that it does not understand.
        const context = yield* Layer.build(
          Kafka.queue(Items, { group: "items", publish: { timeout: "3 seconds" } }).pipe(
            Layer.provide(Cluster.layer({
              ...options(mock.port),
              sasl: { mechanism, username: "ada", password: Redacted.make(password) }
            }))
          )
        )
        const { sink } = Context.get(context, Items)
        const error = yield* Effect.flip(sink.dispatch([Transaction.make("a", 1)]))
        assert.notInclude(JSON.stringify(error), password)
        assert.notInclude(error.message, password)
        assert.include(error.message, "publishing: ")
        process.stdout.write(`${mechanism}: ${error.message}\n`)
      }
    }).pipe(Effect.scoped), 60_000)
})

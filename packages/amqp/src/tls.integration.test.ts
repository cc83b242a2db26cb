/**
 * TLS, on a RabbitMQ of the test's own with a certificate of its own.
 */
import { Transaction } from "@ergon/core"
import { Port, Program, RabbitMq, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connector, Items } from "./test/flow.ts"
import { started } from "./test/server.ts"

await Services.describe([RabbitMq.needs, Services.program("openssl", "apt-get install openssl")], "TLS", () => {
  it.live(
    "with a certificate that is trusted works, and else says why not",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const folder = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "ergon-tls-"))),
          (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
        )
        const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")]
        const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        yield* Program.run({
          command: "openssl",
          args: [
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            key,
            "-out",
            cert,
            ...subject
          ]
        })
        const port = yield* started(Effect.flatMap(Port.free, (port) =>
          Effect.as(
            RabbitMq.server([
              `listeners.ssl.default = 127.0.0.1:${port}`,
              `ssl_options.cacertfile = ${cert}`,
              `ssl_options.certfile = ${cert}`,
              `ssl_options.keyfile = ${key}`,
              "ssl_options.verify = verify_none"
            ]),
            port
          )))
        const ca = readFileSync(cert, "utf8")
        const url = Redacted.make(`amqps://guest:guest@localhost:${port}`)
        const context = yield* Layer.build(connector("tls", { port, broker: { hosts: undefined, url, tls: { ca } } }))
        const { sink, source } = Context.get(context, Items)
        yield* sink.dispatch([Transaction.make("one", { n: 1, note: "" })])
        const [delivery] = yield* source.fetch({ max: 1, wait: Duration.seconds(5) })
        assert.strictEqual(delivery?.transaction.id, "one")
        const distrusted = yield* Effect.flip(
          Effect.scoped(Layer.build(connector("tls", { port, broker: { hosts: undefined, url } })))
        )
        assert.strictEqual(distrusted._tag === "FetchError" && distrusted.reason._tag, "Unauthorized")
        assert.include(distrusted.message, "self-signed certificate")
      })),
    120_000
  )
})

import { MariaDb, Program, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Database, Mysql } from "./index.ts"

const openssl = Services.program("openssl", "apt-get install openssl")

/** An authority, and certificates that it has signed. */
const authority = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "ergon-tls-"))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
  )
  fs.chmodSync(folder, 0o755)
  const run = (...args: ReadonlyArray<string>) => Program.run({ command: "openssl", args, cwd: folder })
  yield* run(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=authority"
  )
  const sign = (name: string, subject: string) =>
    Effect.gen(function*() {
      yield* run(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        `${name}.key`,
        "-out",
        `${name}.csr`,
        "-subj",
        "/CN=x"
      )
      fs.writeFileSync(path.join(folder, `${name}.ext`), `subjectAltName=${subject}\n`)
      yield* run(
        "x509",
        "-req",
        "-in",
        `${name}.csr`,
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        `${name}.pem`,
        "-days",
        "2",
        "-extfile",
        `${name}.ext`
      )
      fs.chmodSync(path.join(folder, `${name}.key`), 0o644)
    })
  return {
    file: (name: string) => path.join(folder, name),
    read: (name: string) => fs.readFileSync(path.join(folder, name), "utf8"),
    sign
  }
})

await Services.describe([MariaDb.needs, openssl], "a MariaDB that speaks TLS", () => {
  it.live("is reached where its certificate and its name are right, and not otherwise", () =>
    Effect.gen(function*() {
      const { file, read, sign } = yield* authority
      yield* sign("server", "DNS:localhost")
      yield* sign("client", "DNS:client")
      const server = yield* MariaDb.server([
        `--ssl-cert=${file("server.pem")}`,
        `--ssl-key=${file("server.key")}`,
        `--ssl-ca=${file("ca.pem")}`
      ])
      const to = (options: Mysql.Options) =>
        Effect.scoped(Effect.flatMap(
          Layer.build(
            Layer.fresh(
              Mysql.layer({ host: "localhost", port: server.port, username: "root", database: "test", ...options })
            )
          ),
          (context) =>
            Effect.map(
              Context.get(context, Database.Database).sql<{ Value: string }>`SHOW STATUS LIKE 'Ssl_cipher'`,
              ([row]) => row?.Value ?? ""
            )
        ))
      const ca = read("ca.pem")
      const refused = (options: Mysql.Options) => Effect.flip(to(options))

      assert.strictEqual(yield* to({}), "", "without `tls` nothing is encrypted")
      assert.match(yield* to({ tls: { ca } }), /AES|CHACHA/)
      const unknown = yield* refused({ tls: true })
      assert.strictEqual(unknown._tag === "SqlError" ? unknown.reason._tag : unknown._tag, "AuthenticationError")
      // The certificate is not that of 127.0.0.1.
      const misnamed = yield* refused({ host: "127.0.0.1", tls: { ca } })
      assert.strictEqual(misnamed._tag === "SqlError" ? misnamed.reason._tag : misnamed._tag, "AuthenticationError")

      const admin = yield* Layer.build(
        Layer.fresh(
          Mysql.layer({ host: "localhost", port: server.port, username: "root", database: "test", tls: { ca } })
        )
      )
      const { sql } = Context.get(admin, Database.Database)
      yield* sql.unsafe("CREATE USER known@localhost REQUIRE X509")
      yield* sql.unsafe("GRANT ALL ON test.* TO known@localhost")
      const uncertified = yield* refused({ username: "known", tls: { ca } })
      assert.strictEqual(
        uncertified._tag === "SqlError" ? uncertified.reason._tag : uncertified._tag,
        "AuthenticationError"
      )
      const certified = { ca, cert: read("client.pem"), key: Redacted.make(read("client.key")) }
      assert.match(yield* to({ username: "known", tls: certified }), /AES|CHACHA/)
      // Connections that resume the session of another one are verified too.
      const naps = yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => sql`SELECT SLEEP(0.05)`, {
        concurrency: "unbounded"
      })
      assert.strictEqual(naps.length, 6)
    }).pipe(Effect.scoped), 60_000)
})

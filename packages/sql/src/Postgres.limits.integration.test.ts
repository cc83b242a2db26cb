import { Connector, Task, Transaction } from "@ergon/core"
import { Postgres as Lab, Program, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Redacted, Schedule, Schema } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { Database, Postgres, Sql } from "./index.ts"
import { Books, emptied, enqueue, order, Orders, orders } from "./test/flow.ts"
import { connect } from "./test/postgres.ts"

class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ n: Schema.Int, text: Schema.String })) {}

const options = (port: number): Postgres.Options => ({
  host: "127.0.0.1",
  port,
  username: "postgres",
  database: "postgres",
  statementTimeout: "5 seconds"
})

const queue = (more: Postgres.Options) =>
  Sql.queue(Orders, { lease: "2 seconds" }).pipe(Layer.provide(Layer.fresh(Postgres.layer(more))))

/** A folder that the server may use, removed with the scope. */
const folder = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-postgres-lab-"))
    fs.chmodSync(folder, 0o755)
    return folder
  }),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
)

const ownedByPostgres = (file: string) => {
  if (process.getuid?.() === 0) execFileSync("chown", ["postgres:postgres", file])
}

const ship = (books: Books) =>
  Task.consumer("ship", Orders, ({ id }) => Effect.sync(() => books.came(id))).pipe(
    Task.policy({ loop: { concurrency: 16, streaming: true } })
  )

/** Who has to give a password, and who may do everything. */
const secured = (host: string) =>
  Effect.map(folder, (folder) => {
    const file = path.join(folder, "pg_hba.conf")
    fs.writeFileSync(
      file,
      `${host} all shop 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\nlocal all all trust\n`
    )
    return `hba_file=${file}`
  })

await Services.describe([Lab.needs], "credentials of PostgreSQL", () => {
  it.live(
    "that are revoked end the run with a reason; nothing is lost, and the next run goes on",
    () =>
      Effect.gen(function*() {
        const server = yield* Lab.server([yield* secured("host")])
        const { sql } = yield* connect({ ...options(server.port), applicationName: "admin" })
        const first = "a password of the shop"
        yield* sql.unsafe(`CREATE ROLE shop LOGIN PASSWORD '${first}'`)
        yield* sql.unsafe("GRANT ALL ON SCHEMA public TO shop")
        const asShop = (password: string) => ({
          ...options(server.port),
          username: "shop",
          password: Redacted.make(password)
        })
        const books = new Books()
        const count = 3000
        const context = yield* Layer.build(queue(asShop(first)))
        const { sink } = Context.get(context, Orders)
        yield* enqueue(sink, orders(0, count))
        for (const { id } of orders(0, count)) books.ledger.in(id)

        const run = (password: string) => Effect.provide(Task.run(ship(books)), Layer.fresh(queue(asShop(password))))
        const running = yield* Effect.forkChild(Effect.exit(run(first)))
        yield* books.atLeast(500)
        yield* sql.unsafe("ALTER ROLE shop PASSWORD 'another one'")
        yield* sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'`
        const ended = yield* Fiber.join(running)
        assert.isTrue(Exit.isFailure(ended))
        const text = Exit.isFailure(ended) ? Cause.pretty(ended.cause) : ""
        assert.include(text, "Unauthorized")
        assert.notInclude(text, first)
        // Who comes with what was revoked is told before anything begins.
        const refused = yield* Effect.flip(Layer.build(queue(asShop(first))))
        assert.include(String(refused), "SqlError")
        assert.notInclude(String(refused), first)

        const next = yield* Effect.forkChild(run("another one"))
        yield* books.atLeast(count)
        const { source } = Context.get(yield* Layer.build(queue(asShop("another one"))), Orders)
        yield* emptied(source)
        yield* Fiber.interrupt(next)
        const balance = books.ledger.balance()
        process.stdout.write(`credentials revoked: ${balance.text}\n`)
        assert.deepStrictEqual([balance.in, balance.lost, balance.strange], [count, [], []])
      }).pipe(Effect.scoped),
    60_000
  )
})

const openssl = {
  name: "openssl",
  command: "apt-get install openssl",
  isThere: () => Promise.resolve(spawnSync("openssl", ["version"]).status === 0)
}

await Services.describe([Lab.needs, openssl], "encryption of PostgreSQL", () => {
  it.live("verifies the server's certificate", () =>
    Effect.gen(function*() {
      const place = yield* folder
      const [cert, key] = [path.join(place, "server.crt"), path.join(place, "server.key")]
      execFileSync("openssl", [
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=shop-db"],
        ...["-addext", "subjectAltName=DNS:shop-db", "-keyout", key, "-out", cert]
      ], { stdio: "ignore" })
      fs.chmodSync(key, 0o600)
      ownedByPostgres(key)
      const server = yield* Lab.server([
        "ssl=on",
        `ssl_cert_file=${cert}`,
        `ssl_key_file=${key}`,
        yield* secured("hostssl")
      ])
      const admin = yield* connect({ ...options(server.port), applicationName: "admin" })
      yield* admin.sql.unsafe("CREATE ROLE shop LOGIN PASSWORD 'secret'")
      const asShop = { ...options(server.port), username: "shop", password: Redacted.make("secret") }
      const ca = fs.readFileSync(cert, "utf8")
      const { sql } = yield* connect({ ...asShop, tls: { ca, servername: "shop-db" } })
      const [row] = yield* sql<{ ssl: boolean }>`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`
      assert.deepStrictEqual(row, { ssl: true })
      const refused = (tls: Postgres.Options["tls"]) =>
        Effect.map(Effect.flip(Layer.build(Layer.fresh(Postgres.layer({ ...asShop, tls })))), String)
      assert.include(yield* refused(true), "SqlError")
      assert.include(yield* refused({ ca }), "SqlError")
      assert.include(yield* refused(false), "SqlError")
    }).pipe(Effect.scoped), 60_000)
})

/** Whether a file system can be mounted here. */
const mounting = {
  name: "mounting a file system",
  command: "run the tests as root",
  isThere: () =>
    Promise.resolve(process.getuid?.() === 0).then((root) => {
      if (!root) return false
      const place = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-mount-"))
      const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", place])
      if (status === 0) spawnSync("umount", [place])
      fs.rmdirSync(place)
      return status === 0
    })
}

/** A small file system for the data of a server. */
const smallDisk = (megabytes: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const place = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-small-"))
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0755`, "tmpfs", place])
      ownedByPostgres(place)
      return place
    }),
    (place) =>
      Effect.sync(() => {
        execFileSync("umount", ["-l", place])
        fs.rmdirSync(place)
      })
  )

await Services.describe([Lab.needs, mounting], "a disk of PostgreSQL that is full", () => {
  it.live("the pipeline waits, loses none, and goes on when there is room", () =>
    Effect.gen(function*() {
      const place = yield* smallDisk(220)
      const server = yield* Lab.server(["max_wal_size=64MB", "min_wal_size=32MB", "shared_buffers=16MB"], place)
      const layers = Layer.mergeAll(Sql.queue(Orders, { lease: "2 seconds" }), Sql.table(Receipts)).pipe(
        Layer.provideMerge(Layer.fresh(Postgres.layer(options(server.port))))
      )
      const context = yield* Layer.build(layers)
      const { sink, source } = Context.get(context, Orders)
      let count = 2000
      yield* enqueue(sink, orders(0, count))

      // Somebody else takes all that is left.
      const ballast = path.join(place, "ballast")
      const file = fs.openSync(ballast, "w")
      const piece = Buffer.alloc(64 * 1024, 1)
      try {
        for (;;) fs.writeSync(file, piece)
      } catch {
        // There is no room any more.
      }
      fs.closeSync(file)

      const send = Effect.suspend(() => sink.dispatch(orders(count, count + 100))).pipe(
        Effect.tap(() => Effect.sync(() => count += 100))
      )
      const refused = yield* Effect.flip(Effect.forever(send))
      assert.isTrue(refused.reason.isRetryable)
      const books = new Books()
      const task = Task.consumer("price", Orders, ({ id, payload }) =>
        Effect.as(
          Effect.sync(() => books.came(id)),
          payload
        ))
        .pipe(
          Task.dispatch(Receipts, ({ id }, receipt) => Transaction.make(`receipt-${id}`, receipt)),
          Task.policy({ loop: { concurrency: 64, streaming: true }, fetch: { empty: { cap: "500 millis" } } })
        )
      const running = yield* Effect.forkChild(Effect.provide(Task.run(task), Layer.fresh(layers)))
      yield* Effect.sleep("4 seconds")
      assert.isUndefined(running.pollUnsafe(), "the run goes on")

      fs.rmSync(ballast)
      const { sql } = Context.get(context, Database.Database)
      const survived = yield* Effect.isSuccess(
        Effect.retry(sql`SELECT 1`, { schedule: Schedule.spaced("200 millis"), times: 25 })
      )
      // A server that cannot write its log ends; what starts servers starts it again.
      if (!survived) yield* Effect.andThen(server.kill, server.start)
      yield* enqueue(sink, orders(count, count + 100))
      count += 100
      for (const { id } of orders(0, count)) books.ledger.in(id)
      yield* books.atLeast(count)
      yield* emptied(source)
      const summary = yield* Effect.andThen(Fiber.interrupt(running), Fiber.await(running))
      assert.isTrue(Exit.hasInterrupts(summary) || Exit.isSuccess(summary))
      const [row] = yield* sql<{ n: number }>`SELECT count(*)::int AS n FROM receipts`
      const balance = books.ledger.balance()
      process.stdout.write(
        `a full disk (${refused.reason._tag}; the server ${
          survived ? "went on" : "was started again"
        }): ${balance.text}, ` +
          `${row?.n} rows\n`
      )
      assert.deepStrictEqual([balance.in, balance.lost, balance.strange, row], [count, [], [], { n: count }])
    }).pipe(Effect.scoped), 90_000)
})

await Services.describe([Lab.needs], "consumers of PostgreSQL that are killed", () => {
  it.live("leave their work to the others", () =>
    Effect.gen(function*() {
      const server = yield* Lab.server()
      const { sink, source } = Context.get(yield* Layer.build(queue(options(server.port))), Orders)
      const books = new Books()
      const count = 4000
      yield* enqueue(sink, orders(0, count))
      for (let n = 0; n < count; n++) books.ledger.in(order(n).id)
      const file = fileURLToPath(new URL("./test/orders.ts", import.meta.url))
      const start = Program.script(file, [String(server.port)])
      const said = (worker: Program.Program, n: number) => worker.says(() => worker.lines.length >= n)
      const workers = [yield* start, yield* start]
      yield* said(workers[0]!, 500)
      yield* said(workers[1]!, 500)
      yield* workers[0]!.kill
      const third = yield* start
      yield* said(third, 300)
      yield* workers[1]!.kill
      workers.push(third, yield* start)
      yield* emptied(source)
      for (const { lines } of workers) {
        for (const line of lines) if (line.startsWith("out ")) books.ledger.out(line.slice("out ".length))
      }
      const again = workers.flatMap(({ lines }) => lines.filter((line) => line.startsWith("again "))).length
      const balance = books.ledger.balance()
      process.stdout.write(`SIGKILL of two of four consumers: ${balance.text}; ${again} with a higher count\n`)
      assert.deepStrictEqual([balance.in, balance.lost, balance.strange], [count, [], []])
      assert.isAbove(again, 0)
    }).pipe(Effect.scoped), 90_000)
})

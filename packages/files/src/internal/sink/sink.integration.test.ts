import { Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, Schema, Scope, Stream } from "effect"
import { Csv } from "effect/encoding"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { csvSink, jsonlSink } from "./formats.ts"

const worker = fileURLToPath(new URL("../../test/sinkWorker.ts", import.meta.url))

const folder = Effect.acquireRelease(
  Effect.promise(async () => await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), "ergon-sink-")))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const start = (kind: string, file: string, confirmed: string, from: number, limit?: string): ChildProcess => {
  const command = [process.execPath, "--conditions=@ergon/source", worker, kind, file, confirmed, String(from)]
  return limit === undefined
    ? spawn(command[0]!, command.slice(1), { stdio: ["ignore", "ignore", "pipe"] })
    : spawn("/bin/sh", ["-c", `${limit}; exec "$@"`, "sh", ...command], { stdio: ["ignore", "ignore", "pipe"] })
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
}

const confirmedIn = async (file: string): Promise<ReadonlyArray<number>> => {
  const text = await fs.readFile(file, "utf8").catch(() => "")
  return text.split("\n").filter((line) => line !== "").map(Number)
}

const Row = Schema.Struct({ batch: Schema.String, index: Schema.String, text: Schema.String })
const decodeRow = Schema.decodeUnknownSync(Row)

const opened = {
  jsonl: (file: string) => jsonlSink(file, { envelope: false }),
  csv: (file: string) => csvSink(Row, file, undefined)
}

const rowsOf = {
  jsonl: async (file: string) => {
    const text = await fs.readFile(file, "utf8")
    return text.split("\n").slice(0, -1).map((line) => decodeRow(JSON.parse(line)))
  },
  csv: async (file: string) => {
    const text = await fs.readFile(file, "utf8")
    const decoded = Stream.make(text).pipe(Stream.pipeThroughChannel(Csv.decodeString({ headers: true })))
    return (await Effect.runPromise(Stream.runCollect(decoded))).map((row) => decodeRow(row))
  }
}

const quietly = Effect.provide(Logger.layer([]))

/** What a write that was cut short leaves: without a line end in JSONL, with one inside of quotes in CSV. */
const pieces = { jsonl: "{\"batch\":\"torn\",\"text\":\"", csv: "torn,0,\"a line\r\nand a\n" }

describe("a sink whose process is killed", () => {
  for (const kind of ["jsonl", "csv"] as const) {
    it.live(`has every confirmed record of ${kind}, and no torn one`, () =>
      Effect.gen(function*() {
        const file = path.join(yield* folder, `out.${kind}`)
        const confirmed = `${file}.confirmed`
        let torn = 0
        for (let round = 0; round < 4; round++) {
          yield* Effect.promise(async () => {
            const child = start(kind, file, confirmed, round * 10_000)
            const before = (await confirmedIn(confirmed)).length
            while ((await confirmedIn(confirmed)).length < before + 10 + round * 7) {
              assert.isNull(child.exitCode)
              await new Promise((resolve) => setTimeout(resolve, 2))
            }
            child.kill("SIGKILL")
            await ended(child)
          })
          yield* Effect.scoped(opened[kind](file)).pipe(quietly)
          // A kill seldom lands within a write: the rest of one is put there by hand as well.
          yield* Effect.promise(() => fs.appendFile(file, pieces[kind]))
          yield* Effect.scoped(opened[kind](file)).pipe(quietly)
          torn = (yield* Effect.promise(() => fs.stat(`${file}.torn`).catch(() => ({ size: 0 })))).size
          const text = yield* Effect.promise(() => fs.readFile(file, "utf8"))
          assert.isTrue(text.endsWith("\n"))
        }
        const batches = yield* Effect.promise(() => confirmedIn(confirmed))
        const rows = yield* Effect.promise(() => rowsOf[kind](file))
        assert.isTrue(rows.every(({ batch }) => batch !== "torn"))
        const arrived = new Set(rows.map(({ batch, index }) => `${batch}-${index}`))
        for (const batch of batches) {
          for (let index = 0; index < 20; index++) assert.isTrue(arrived.has(`${batch}-${index}`), `${batch}-${index}`)
        }
        process.stdout.write(`${kind}: ${batches.length} batches confirmed, ${rows.length} rows, ${torn} bytes torn\n`)
      }))
  }
})

const many = (count: number, size: number) =>
  Array.from(
    { length: count },
    (_, index) => Transaction.make(`t-${index}`, { batch: "0", index: `${index}`, text: "x".repeat(size) })
  )

/** A file system of 64 KiB, where mounting one is permitted. */
const smallDisk = Effect.acquireRelease(
  Effect.flatMap(folder, (folder) =>
    Effect.sync(() => {
      try {
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], { stdio: "ignore" })
        return folder
      } catch {
        return undefined
      }
    })),
  (folder) =>
    Effect.sync(() => {
      if (folder !== undefined) execFileSync("umount", [folder])
    })
)

const mountable = await Effect.runPromise(Effect.scoped(Effect.map(smallDisk, (folder) => folder !== undefined)))

describe("a sink whose disk is full", () => {
  it.live.skipIf(!mountable)(
    "fails the batch as retryable, keeps what was confirmed, and goes on (needs mount)",
    () =>
      Effect.gen(function*() {
        const disk = yield* smallDisk
        const file = path.join(disk!, "out.jsonl")
        const filler = path.join(disk!, "filler")
        yield* Effect.promise(() => fs.writeFile(filler, "x".repeat(16 * 1024)))
        const sink = yield* opened.jsonl(file)
        yield* sink.dispatch(many(10, 1000))
        const before = yield* Effect.promise(() => fs.readFile(file, "utf8"))
        const error = yield* Effect.flip(sink.dispatch(many(50, 1000)))
        assert.strictEqual(error.reason._tag, "Throttled")
        assert.isTrue(error.reason.isRetryable)
        assert.include(error.message, `cannot write to "${file}": the disk is full (ENOSPC)`)
        assert.isUndefined(error.failed)
        assert.strictEqual(yield* Effect.promise(() => fs.readFile(file, "utf8")), before)
        yield* sink.dispatch(many(1, 1000))
        yield* Effect.promise(() => fs.rm(filler))
        yield* sink.dispatch(many(30, 1000))
        assert.lengthOf(yield* Effect.promise(() => rowsOf.jsonl(file)), 41)
      })
  )
})

describe("a sink whose file may not grow", () => {
  it.live("fails as retryable, and leaves whole records", () =>
    Effect.gen(function*() {
      const file = path.join(yield* folder, "out.jsonl")
      // The unit of `ulimit -f` is 512 bytes.
      const child = start("jsonl", file, `${file}.confirmed`, 0, "ulimit -f 400")
      let said = ""
      child.stderr?.on("data", (data: Buffer) => {
        said += data.toString()
      })
      yield* Effect.promise(() => ended(child))
      assert.include(said, "the file may not become larger (EFBIG)")
      const batches = yield* Effect.promise(() => confirmedIn(`${file}.confirmed`))
      assert.isNotEmpty(batches)
      const rows = yield* Effect.promise(() => rowsOf.jsonl(file))
      assert.lengthOf(rows, batches.length * 20)
    }))
})

describe("the lock of a sink", () => {
  it.live("is respected while its process lives, and taken over when it is dead", () =>
    Effect.gen(function*() {
      const file = path.join(yield* folder, "out.jsonl")
      const child = start("jsonl", file, `${file}.confirmed`, 0)
      yield* Effect.promise(async () => {
        while ((await confirmedIn(`${file}.confirmed`)).length === 0) {
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      })
      const error = yield* Effect.flip(opened.jsonl(file))
      assert.include(error.message, `InvalidRequest: "${file}" is in use by process ${child.pid}`)
      child.kill("SIGKILL")
      yield* Effect.promise(() => ended(child))
      // Of several that find the dead lock at once, one gets it.
      const scope = yield* Scope.make()
      const exits = yield* Effect.all(
        Array.from({ length: 8 }, () => Effect.exit(Scope.provide(opened.jsonl(file), scope))),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(exits.filter(Exit.isSuccess), 1)
      yield* Scope.close(scope, Exit.void)
      const left = yield* Effect.promise(() => fs.readdir(path.dirname(file)))
      assert.deepStrictEqual(left.filter((name) => name.includes(".lock")), [])
    }).pipe(quietly))

  it.live("of a process id that another process has now is taken over", () =>
    Effect.gen(function*() {
      const file = path.join(yield* folder, "out.jsonl")
      const scope = yield* Scope.make()
      yield* Scope.provide(opened.jsonl(file), scope)
      const lock = yield* Effect.promise(() => fs.readFile(`${file}.lock`, "utf8"))
      yield* Scope.close(scope, Exit.void)
      if (!lock.includes("\"started\"")) return
      const past = lock.replace(/"started":"\d+"/, "\"started\":\"1\"")
      yield* Effect.promise(() => fs.writeFile(`${file}.lock`, past))
      yield* opened.jsonl(file)
    }))
})

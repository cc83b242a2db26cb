import { Connector, Memory, Task, Transaction } from "@ergon/core"
import { afterEach, assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Schema, Scope, Stream } from "effect"
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

const children = new Set<ChildProcess>()

const start = (
  kind: string,
  file: string,
  confirmed: string,
  from: number,
  prefix: ReadonlyArray<string> = []
): ChildProcess => {
  const node = [process.execPath, "--conditions=@ergon/source", worker, kind, file, confirmed, String(from)]
  const [command = "", ...rest] = [...prefix, ...node]
  const child = spawn(command, rest, { stdio: ["ignore", "ignore", "pipe"] })
  children.add(child)
  return child
}

afterEach(() => {
  for (const child of children) child.kill("SIGKILL")
  children.clear()
})

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
}

const confirmedIn = async (file: string): Promise<ReadonlyArray<number>> => {
  const text = await fs.readFile(file, "utf8").catch(() => "")
  return text.split("\n").filter((line) => line !== "").map(Number)
}

const Row = Schema.Struct({ batch: Schema.String, index: Schema.String, text: Schema.String })
class In extends Connector.Source<In>()("in", Row) {}
class Out extends Connector.Sink<Out>()("out", Row) {}
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

  it.live.skipIf(!mountable)(
    "keeps a task waiting until there is room, and loses nothing (needs mount)",
    () =>
      Effect.gen(function*() {
        const disk = yield* smallDisk
        const file = path.join(disk!, "out.jsonl")
        const filler = path.join(disk!, "filler")
        yield* Effect.promise(() => fs.writeFile(filler, "x".repeat(40 * 1024)))
        const full = yield* Deferred.make<void>()
        const out = Connector.layerSink(
          Out,
          Effect.map(opened.jsonl(file), (sink) => ({
            ...sink,
            dispatch: (transactions) =>
              Effect.tapError(sink.dispatch(transactions), () => Deferred.succeed(full, undefined))
          }))
        )
        const task = Task.consumer("copy", In, ({ payload }) => Effect.succeed(payload)).pipe(
          Task.dispatch(Out, ({ id }, row) => Transaction.make(id, row)),
          Task.discardFailures,
          Task.policy({ loop: { concurrency: 8 } })
        )
        const running = yield* Effect.forkChild(
          Effect.provide(Task.run(task), Layer.merge(Memory.source(In, many(40, 1000)), out))
        )
        yield* Deferred.await(full)
        yield* Effect.promise(() => fs.rm(filler))
        const { fetched, succeeded } = yield* Fiber.join(running)
        assert.deepStrictEqual({ fetched, succeeded }, { fetched: 40, succeeded: 40 })
        const indices = (yield* Effect.promise(() => rowsOf.jsonl(file))).map(({ index }) => Number(index))
        assert.deepStrictEqual(indices.toSorted((left, right) => left - right), Array.from({ length: 40 }, (_, n) => n))
      }).pipe(quietly)
  )
})

const canTrace = await new Promise<boolean>((resolve) => {
  const child = spawn("strace", ["-o", "/dev/null", "true"], { stdio: "ignore" })
  child.on("error", () => resolve(false)).on("exit", (code) => resolve(code === 0))
})

/** What a line of a trace says, as far as it matters here. */
const step = (line: string, file: string): ReadonlyArray<string> => {
  if (line.includes("resumed>")) return []
  if (line.includes(`openat(`)) return line.includes(`"${file}", `) && line.includes("O_EXCL") ? ["create"] : []
  if (line.includes(" fsync(")) return line.includes(`<${path.dirname(file)}>`) ? ["flush the folder"] : []
  if (line.includes(" write(")) return line.includes(`<${file}.confirmed>`) ? ["confirm"] : []
  if (!line.includes(`<${file}>`)) return []
  return line.includes(" pwrite64(") ? ["write"] : line.includes(" fdatasync(") ? ["flush"] : []
}

describe("the system calls of a sink", () => {
  it.live.skipIf(!canTrace)(
    "flush before they confirm, with one write and one flush a batch (needs strace)",
    () =>
      Effect.gen(function*() {
        const file = path.join(yield* folder, "out.jsonl")
        const trace = `${file}.trace`
        const strace = ["strace", "-f", "-y", "-o", trace, "-e", "trace=openat,write,pwrite64,fsync,fdatasync"]
        yield* Effect.promise(async () => {
          const child = start("jsonl", file, `${file}.confirmed`, 0, strace)
          while ((await confirmedIn(`${file}.confirmed`)).length < 10) {
            assert.isNull(child.exitCode)
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
          // strace ignores signals while what it traces is running.
          process.kill(Number.parseInt(await fs.readFile(trace, "utf8"), 10), "SIGKILL")
          await ended(child)
        })
        const text = yield* Effect.promise(() => fs.readFile(trace, "utf8"))
        const steps = text.split("\n").flatMap((line) => step(line, file))
        assert.deepStrictEqual(steps.slice(0, 2), ["create", "flush the folder"])
        const batches = Array.from({ length: 10 }, () => ["write", "flush", "confirm"]).flat()
        assert.deepStrictEqual(steps.slice(2, 32), batches)
      })
  )
})

describe("a sink whose file may not grow", () => {
  it.live("fails as retryable, and leaves whole records", () =>
    Effect.gen(function*() {
      const file = path.join(yield* folder, "out.jsonl")
      // The unit of `ulimit -f` is 512 bytes.
      const child = start("jsonl", file, `${file}.confirmed`, 0, ["/bin/sh", "-c", "ulimit -f 400; exec \"$@\"", "sh"])
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

import { assert, describe, it } from "@effect/vitest"
import { Effect, Predicate } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import * as process from "node:process"
import { fileURLToPath } from "node:url"

const worker = fileURLToPath(new URL("../../test/sourceWorker.ts", import.meta.url))

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-source-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const start = (args: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, ["--expose-gc", "--conditions=@ergon/source", worker, ...args], {
    stdio: ["ignore", "pipe", "inherit"]
  })

const exit = async (child: ChildProcess): Promise<number | null> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
  return child.exitCode
}

interface Report {
  readonly succeeded: number
  readonly failed: number
  readonly grown: { readonly heap: number; readonly rss: number }
}

const finish = async (args: ReadonlyArray<string>): Promise<Report> => {
  const child = start(args)
  let printed = ""
  child.stdout?.on("data", (data: Buffer) => printed += data.toString())
  assert.strictEqual(await exit(child), 0)
  return JSON.parse(printed) as Report
}

interface Kind {
  readonly name: string
  readonly header: string
  readonly line: (n: number, text: string) => string
}

const kinds: ReadonlyArray<Kind> = [
  { name: "jsonl", header: "", line: (n, text) => `${JSON.stringify({ n: `${n}`, text })}\n` },
  { name: "csv", header: "n,text\n", line: (n, text) => `${n},"${text}"\n` }
]

/** Writes rows, numbered from 1, until the file has this many bytes; answers with their number. */
const fill = async (file: string, { header, line }: Kind, size: number): Promise<number> => {
  const handle = await fs.open(file, "w")
  await handle.writeFile(header)
  let written = 0
  let n = 0
  while (written < size) {
    let block = ""
    while (block.length < Math.min(size, 1_000_000)) block += line(++n, "x, ".repeat(n % 400))
    await handle.writeFile(block)
    written += block.length
  }
  await handle.close()
  return n
}

const lines = async (file: string): Promise<ReadonlyArray<string>> =>
  (await fs.readFile(file, "utf8").catch(() => "")).split("\n").slice(0, -1)

const payloadOf = (line: string): unknown => {
  const envelope: unknown = JSON.parse(line)
  return Predicate.hasProperty(envelope, "payload") ? envelope.payload : undefined
}

describe.each(kinds)("a $name file", (kind) => {
  const { name } = kind

  it.live("is read in constant memory", () =>
    Effect.flatMap(folder, (folder) =>
      Effect.promise(async () => {
        const file = path.join(folder, "in")
        const rows = await fill(file, kind, 200_000_000)
        const { failed, grown, succeeded } = await finish([name, file, "none"])
        assert.deepStrictEqual({ failed, succeeded }, { failed: 0, succeeded: rows })
        assert.isBelow(grown.heap, 10_000_000)
        assert.isBelow(grown.rss, 80_000_000)
      })))

  it.live("loses no row when its reader is killed", () =>
    Effect.flatMap(folder, (folder) =>
      Effect.promise(async () => {
        const file = path.join(folder, "in")
        const to = path.join(folder, "out")
        const rows = await fill(file, kind, 10_000_000)
        const rounds = 3
        for (let round = 0; round < rounds; round++) {
          const before = (await lines(to)).length
          const child = start([name, file, to])
          // Some way into the work, at a place that differs from round to round.
          while ((await lines(to)).length < before + 300 + 377 * round && child.exitCode === null) {
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
          child.kill("SIGKILL")
          assert.strictEqual(await exit(child), null, "the reader ended before it was killed")
        }
        const { failed } = await finish([name, file, to])
        assert.strictEqual(failed, 0)
        const seen = (await lines(to)).map(payloadOf)
        const expected = Array.from({ length: rows }, (_, index) => `${index + 1}`)
        assert.deepStrictEqual([...new Set(seen)].toSorted((a, b) => Number(a) - Number(b)), expected)
        const duplicates = seen.length - rows
        // Only what was in flight or not yet settled at a kill comes twice.
        assert.isAtMost(duplicates, rounds * 2000)
        assert.deepStrictEqual(await finish([name, file, to]).then(({ succeeded }) => succeeded), 0)
      })))
})

const nobody = 65_534

describe("a file that may not be read", () => {
  it.live.skipIf(process.getuid?.() !== 0)(
    "is refused as Unauthorized",
    () =>
      Effect.flatMap(folder, (folder) =>
        Effect.promise(async () => {
          const file = path.join(folder, "in")
          await fs.writeFile(file, "")
          await fs.chmod(folder, 0o777)
          await fs.chmod(file, 0o600)
          const { status, stderr } = spawnSync(
            process.execPath,
            ["--conditions=@ergon/source", worker, "jsonl", file, "none"],
            { uid: nobody, encoding: "utf8" }
          )
          assert.notStrictEqual(status, 0)
          assert.include(stderr, `fetch failed: Unauthorized: reading "${file}": not permitted (EACCES)`)
        }))
  )
})

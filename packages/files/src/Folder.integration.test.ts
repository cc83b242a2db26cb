import { afterEach, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const worker = fileURLToPath(new URL("test/folderWorker.ts", import.meta.url))

const children = new Set<ChildProcess>()

const start = (folder: string, ledger: string, lease: number, streaming: boolean): ChildProcess => {
  const args = ["--conditions=@ergon/source", worker, folder, ledger, String(lease), String(streaming)]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] })
  children.add(child)
  return child
}

const exit = async (child: ChildProcess): Promise<number | null> => {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  await once(child, "exit")
  return child.exitCode
}

const killAll = async (): Promise<void> => {
  for (const child of children) child.kill("SIGKILL")
  await Promise.all([...children].map(exit))
  children.clear()
}

afterEach(killAll)

const inbox = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-inbox-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const fill = async (folder: string, count: number): Promise<ReadonlyArray<string>> => {
  const names = Array.from({ length: count }, (_, index) => `file-${index}.txt`)
  for (const name of names) {
    await fs.writeFile(path.join(folder, `${name}.tmp`), `content of ${name}`)
    await fs.rename(path.join(folder, `${name}.tmp`), path.join(folder, name))
  }
  return names.toSorted()
}

const entries = async (ledger: string): Promise<ReadonlyArray<string>> => {
  const text = await fs.readFile(ledger, "utf8").catch(() => "")
  return text.split("\n").filter((line) => line !== "")
}

const entriesOf = async (ledgers: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
  (await Promise.all(ledgers.map(entries))).flat()

const exists = (file: string): Promise<boolean> => fs.access(file).then(() => true, () => false)

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5))
}

const linesOf = (names: ReadonlyArray<string>) => names.map((name) => `${name} content of ${name}`).toSorted()

const files = async (...parts: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
  (await fs.readdir(path.join(...parts))).filter((name) => !name.startsWith(".")).toSorted()

describe("Folder.source in several processes", () => {
  it.live("hands each file to one of two", () =>
    Effect.flatMap(inbox, (folder) =>
      Effect.promise(async () => {
        const ledgers = [`${folder}.1`, `${folder}.2`]
        for (const ledger of ledgers) start(folder, ledger, 60_000, true)
        await until(async () => (await Promise.all(ledgers.map(exists))).every(Boolean))
        const names = await fill(folder, 1000)
        await until(async () => (await entriesOf(ledgers)).length >= names.length)
        await until(async () => (await files(folder, "processing")).length === 0)
        await killAll()
        const [first, second] = await Promise.all(ledgers.map(entries))
        assert.isNotEmpty(first)
        assert.isNotEmpty(second)
        assert.deepStrictEqual((await entriesOf(ledgers)).toSorted(), linesOf(names))
        assert.deepStrictEqual(await files(folder, "done"), names)
        for (const ledger of ledgers) await fs.rm(ledger)
      })))

  it.live("loses nothing when processes are killed", () =>
    Effect.flatMap(inbox, (folder) =>
      Effect.promise(async () => {
        const names = await fill(folder, 2000)
        const ledger = `${folder}.ledger`
        // Short, because what a kill leaves waits for it.
        const lease = 500
        let kills = 0
        for (let round = 0; round < 5; round++) {
          const before = (await entries(ledger)).length
          for (let n = 0; n < 2; n++) start(folder, ledger, lease, true)
          await until(async () => (await entries(ledger)).length >= before + 40 + round * 23)
          await killAll()
          kills += 2
        }
        while ((await files(folder, "done")).length < names.length) {
          assert.strictEqual(await exit(start(folder, ledger, lease, false)), 0)
        }
        const seen = await entries(ledger)
        const duplicates = seen.length - new Set(seen).size
        assert.deepStrictEqual([...new Set(seen)].toSorted(), linesOf(names))
        assert.isAtMost(duplicates, names.length / 4)
        assert.deepStrictEqual(await files(folder, "done"), names)
        for (const name of names) {
          assert.strictEqual(await fs.readFile(path.join(folder, "done", name), "utf8"), `content of ${name}`)
        }
        assert.deepStrictEqual(await files(folder, "failed"), [])
        assert.deepStrictEqual((await files(folder)).filter((name) => name.startsWith("file")), [])
        process.stdout.write(`${kills} kills, ${names.length} files, ${duplicates} processed twice\n`)
        await fs.rm(ledger)
      })))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const worker = fileURLToPath(new URL("test/folderWorker.ts", import.meta.url))

const start = (folder: string, ledger: string, streaming: boolean): ChildProcess =>
  spawn(
    process.execPath,
    ["--conditions=@ergon/source", worker, folder, ledger, String(streaming)],
    { stdio: ["ignore", "ignore", "inherit"] }
  )

const exit = async (child: ChildProcess): Promise<number | null> => {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  await once(child, "exit")
  return child.exitCode
}

const inbox = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-inbox-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const fill = async (folder: string, count: number): Promise<ReadonlyArray<string>> => {
  const names = Array.from({ length: count }, (_, index) => `file-${index}.txt`)
  for (const name of names) await fs.writeFile(path.join(folder, name), `content of ${name}`)
  return names.toSorted()
}

const entries = async (ledger: string): Promise<ReadonlyArray<string>> => {
  const text = await fs.readFile(ledger, "utf8").catch(() => "")
  return text.split("\n").filter((line) => line !== "")
}

const linesOf = (names: ReadonlyArray<string>) => names.map((name) => `${name} content of ${name}`).toSorted()

const files = async (...parts: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
  (await fs.readdir(path.join(...parts))).toSorted()

describe("Folder.source in several processes", () => {
  it.live("hands each file to one of two", () =>
    Effect.flatMap(inbox, (folder) =>
      Effect.promise(async () => {
        const names = await fill(folder, 1000)
        const ledgers = [`${folder}.1`, `${folder}.2`]
        const children = ledgers.map((ledger) => start(folder, ledger, false))
        assert.deepStrictEqual(await Promise.all(children.map(exit)), [0, 0])
        const [first, second] = await Promise.all(ledgers.map(entries))
        assert.isNotEmpty(first)
        assert.isNotEmpty(second)
        assert.deepStrictEqual([...first!, ...second!].toSorted(), linesOf(names))
        assert.deepStrictEqual(await files(folder, "done"), names)
        assert.deepStrictEqual(await files(folder, "processing"), [])
        for (const ledger of ledgers) await fs.rm(ledger)
      })))

  it.live("loses nothing when processes are killed", () =>
    Effect.flatMap(inbox, (folder) =>
      Effect.promise(async () => {
        const names = await fill(folder, 2000)
        const ledger = `${folder}.ledger`
        let kills = 0
        for (let round = 0; round < 5; round++) {
          const before = (await entries(ledger)).length
          const children = [start(folder, ledger, true), start(folder, ledger, true)]
          // Some way into the work, at a place that differs from round to round.
          while ((await entries(ledger)).length < before + 40 + round * 23) {
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
          for (const child of children) child.kill("SIGKILL")
          await Promise.all(children.map(exit))
          kills += children.length
        }
        while ((await files(folder, "done")).filter((name) => name.startsWith("file")).length < names.length) {
          assert.strictEqual(await exit(start(folder, ledger, false)), 0)
        }
        const seen = await entries(ledger)
        const duplicates = seen.length - new Set(seen).size
        assert.deepStrictEqual([...new Set(seen)].toSorted(), linesOf(names))
        // Only what was in flight at a kill can come twice.
        assert.isAtMost(duplicates, kills * 16)
        const done = (await files(folder, "done")).filter((name) => !name.startsWith("."))
        assert.deepStrictEqual(done, names)
        for (const name of names) {
          assert.strictEqual(await fs.readFile(path.join(folder, "done", name), "utf8"), `content of ${name}`)
        }
        assert.deepStrictEqual(await files(folder, "failed"), [])
        assert.deepStrictEqual((await files(folder)).filter((name) => name.startsWith("file")), [])
        process.stdout.write(`${kills} kills, ${names.length} files, ${duplicates} processed twice\n`)
        await fs.rm(ledger)
      })))
})

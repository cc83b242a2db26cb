/** Dead letters as a person meets them: through the command `ergon`, on a queue and a table of dead letters in SQLite. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setImmediate as turn } from "node:timers/promises"

const bin = join(import.meta.dirname, "../../../packages/cli/bin/ergon.js")
const main = join(import.meta.dirname, "main.ts")

let folder = ""
let children: Array<ChildProcess> = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ergon-redrive-"))
  const content = { name: "shop", type: "module", ergon: { main: relative(folder, main) } }
  writeFileSync(join(folder, "package.json"), JSON.stringify(content))
})

afterEach(() => {
  for (const child of children) child.kill("SIGKILL")
  children = []
  rmSync(folder, { recursive: true, force: true })
})

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

const start = (line: ReadonlyArray<string>, environment: { readonly [name: string]: string }) => {
  const child = spawn(process.execPath, ["--conditions=@ergon/source", bin, ...line], {
    cwd: folder,
    env: { ...process.env, DATABASE: join(folder, "shop.db"), ...environment },
    stdio: ["pipe", "pipe", "pipe"]
  })
  children.push(child)
  let out = ""
  let errors = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (out += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => void (errors += text))
  const ended = once(child, "close").then(([code]: ReadonlyArray<unknown>): Ended => ({
    code: typeof code === "number" ? code : null,
    out,
    errors
  }))
  return { child, ended }
}

/** Runs `ergon` with these words; `input` is piped into it. */
const ergon = (
  words: string,
  environment: { readonly [name: string]: string } = {},
  input = ""
): Promise<Ended> => {
  const { child, ended } = start(words.split(" "), environment)
  child.stdin.end(input)
  return ended
}

const query = (sql: string): ReadonlyArray<{ readonly [column: string]: unknown }> => {
  const database = new DatabaseSync(join(folder, "shop.db"), { readOnly: true })
  try {
    return database.prepare(sql).all()
  } finally {
    database.close()
  }
}

const number = (sql: string): number => Number(Object.values(query(sql)[0] ?? {})[0])
const letters = () => number("SELECT count(*) FROM dead_orders")
const shipped = () => number("SELECT count(*) FROM shipments")

/**
 * `claim` of a row counts how often it was delivered: once to be given up, once more after a redrive. Nobody ever ships
 * order-13.
 */
const deliveredTwice = () =>
  number("SELECT count(*) FROM orders WHERE state = 'done' AND claim > 2 AND id <> 'order-13'")

/** Waits until letters have gone back to the queue and are still among the letters, or many are gone, or it ended. */
const betweenSteps = async (child: ChildProcess): Promise<void> => {
  const database = new DatabaseSync(join(folder, "shop.db"), { readOnly: true })
  try {
    const both = database.prepare(
      "SELECT (SELECT count(*) FROM orders WHERE state = 'ready') AS ready, (SELECT count(*) FROM dead_orders) AS dead"
    )
    const before = Number(both.get()?.["dead"])
    for (let isSeen = false; !isSeen && child.exitCode === null;) {
      for (let look = 0; look < 20; look++) {
        const { dead, ready } = both.get() ?? {}
        const gone = before - Number(dead)
        isSeen = gone >= before / 2 || (gone > 0 && Number(ready) > gone)
        if (isSeen) break
      }
      if (!isSeen) await turn()
    }
  } finally {
    database.close()
  }
}

describe("ergon dead-letters", () => {
  it("lists, shows and redrives: nothing is lost, and each is redriven once", async () => {
    const orders = { ORDERS: "30" }
    assert.strictEqual((await ergon("run place", orders)).code, 0)
    assert.strictEqual((await ergon("run ship --once")).code, 0)
    assert.strictEqual(letters(), 30)

    const list = await ergon("dead-letters ship list --limit 3")
    assert.strictEqual(list.code, 0)
    const lines = list.out.trimEnd().split("\n")
    assert.deepStrictEqual(lines.map((line) => line.split(/ +/)[0]), ["ID", "order-1", "order-2", "order-3"])
    assert.match(lines[1] ?? "", /^order-1 +\d+ (s|min).* process +OutOfStock +1 +.*there is no lamp left$/)
    assert.include(list.errors, "--limit N shows them")

    const json = await ergon("dead-letters ship list --json --tag TooMany")
    assert.deepInclude(JSON.parse(json.out)[0], {
      id: "order-13",
      from: "sink",
      payload: { item: "lamp", quantity: 13 }
    })

    const show = await ergon("dead-letters ship show order-13 order-99")
    assert.match(show.out, /error +TooMany: nobody gets 13 at once\n/)
    assert.include(show.out, "payload\n  {\n    \"item\": \"lamp\",\n    \"quantity\": 13\n  }\n")
    assert.deepStrictEqual([show.code, show.errors], [1, "ergon: no dead letter of \"ship\" for order-99\n"])

    const refused = await ergon("dead-letters ship redrive")
    assert.strictEqual(refused.code, 2)
    assert.include(refused.errors, "redrive which ones?")

    const dry = await ergon("dead-letters ship redrive --tag OutOfStock --older-than 0 --dry-run")
    assert.deepStrictEqual([dry.code, dry.out], [0, "29\n"])
    assert.strictEqual(letters(), 30)

    const some = await ergon("dead-letters ship redrive - order-99 --json", {}, "order-1\norder-2\n")
    assert.strictEqual(some.code, 1)
    assert.deepInclude(JSON.parse(some.out), { matched: 2, redriven: 2, failed: 0, missing: ["order-99"] })
    assert.include(some.errors, "order-99")

    const rest = await ergon("dead-letters ship redrive --tag OutOfStock --rate 100/second")
    assert.strictEqual(rest.code, 0)
    assert.include(rest.errors, "27 dead letters of \"ship\" match")
    assert.include(rest.out, "27 dead letters redriven")
    assert.strictEqual(letters(), 1)

    assert.strictEqual((await ergon("run ship --once", { STOCK: "1000" })).code, 0)
    assert.deepStrictEqual([shipped(), letters(), deliveredTwice()], [29, 1, 0])
  })

  it("killed in the middle, again and again, loses nothing", async () => {
    const total = 2000
    const stock = { STOCK: "1000000" }
    assert.strictEqual((await ergon("run place", { ORDERS: `${total}` })).code, 0)
    assert.strictEqual((await ergon("run ship --once")).code, 0)
    assert.strictEqual(letters(), total)

    let killed = 0
    for (const _round of [1, 2]) {
      const { child, ended } = start(["dead-letters", "ship", "redrive", "--all"], {})
      await betweenSteps(child)
      child.kill("SIGKILL")
      if ((await ended).code === null) killed++
      // Nothing is nowhere: what is no letter waits or was shipped.
      const somewhere = number(`SELECT count(*) FROM orders WHERE state = 'ready'
        OR id IN (SELECT id FROM dead_orders) OR id IN (SELECT id FROM shipments)`)
      assert.strictEqual(somewhere, total)
      // What is worked on before the next redrive can be delivered twice.
      assert.strictEqual((await ergon("run ship --once", stock)).code, 0)
    }
    assert.isAtLeast(killed, 1)
    const left = letters()
    assert.isAbove(left, 1)

    assert.strictEqual((await ergon("dead-letters ship redrive --tag OutOfStock --yes")).code, 0)
    assert.strictEqual((await ergon("run ship --once", stock)).code, 0)
    assert.strictEqual(shipped(), total - 1)
    assert.deepStrictEqual(query("SELECT id FROM dead_orders").map(({ id }) => id), ["order-13"])
    const again = deliveredTwice()
    process.stdout.write(
      `a redrive of ${total} killed ${killed} times, the last with ${left} left: none lost, ${again} delivered twice\n`
    )
    // A kill leaves the letters of one batch behind at most.
    assert.isAtMost(again, 100 * killed)
  })
})

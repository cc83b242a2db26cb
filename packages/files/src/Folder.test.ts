import { Connector, type Delivery, Disposition } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Logger, Result, Scope } from "effect"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { Folder } from "./index.ts"

class Inbox extends Connector.Source<Inbox>()("inbox", Folder.File) {}

const folder = Effect.acquireRelease(
  Effect.promise(async () => await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), "ergon-folder-")))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

const open = (path: string, options: Partial<Folder.Options> = {}) =>
  Effect.map(
    Effect.flatMap(
      Layer.build(Folder.source(Inbox, { path, stableFor: 0, poll: 10, ...options })),
      (context) => Effect.provide(Inbox, context)
    ),
    ({ source }) => source
  )

const write = (folder: string, name: string, content = name) =>
  Effect.promise(() => fs.writeFile(path.join(folder, name), content))

const touch = (folder: string, name: string, time: Date) =>
  Effect.promise(() => fs.utimes(path.join(folder, name), time, time))

const list = (...parts: ReadonlyArray<string>) =>
  Effect.promise(async () => (await fs.readdir(path.join(...parts))).toSorted())

const read = (...parts: ReadonlyArray<string>) => Effect.promise(() => fs.readFile(path.join(...parts), "utf8"))

const fetch = (source: Connector.SourceService, max = 10, wait: Duration.Input = 0) =>
  Effect.orDie(source.fetch({ max, wait: Duration.fromInputUnsafe(wait) }))

const names = (deliveries: ReadonlyArray<Delivery.Delivery>) => deliveries.map(({ transaction }) => transaction.id)

const settle = (
  source: Connector.SourceService,
  deliveries: ReadonlyArray<Delivery.Delivery>,
  disposition: Disposition.Disposition
) => source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, disposition)))

const pathOf = ({ transaction: { payload } }: Delivery.Delivery): string =>
  typeof payload === "object" && payload !== null && "path" in payload ? String(payload.path) : ""

/** Everything below a folder, with its content. */
const tree = (folder: string) =>
  Effect.promise(async () => {
    const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name))
    return new Map(
      await Promise.all(
        files.map(async (file) => [path.relative(folder, file), await fs.readFile(file, "utf8")] as const)
      )
    )
  })

describe("Folder.source", () => {
  it.live("hands over files by their last change, then by their names", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      for (const name of ["c", "b", "a"]) yield* write(inbox, name)
      yield* touch(inbox, "c", new Date("2026-01-01T00:00:00.000Z"))
      for (const name of ["b", "a"]) yield* touch(inbox, name, new Date("2026-01-02T00:00:00.500Z"))
      const deliveries = yield* fetch(yield* open(inbox))
      assert.deepStrictEqual(names(deliveries), ["c", "a", "b"])
      const [, second] = deliveries
      assert.deepStrictEqual(second?.transaction.metadata, { folder: inbox, file: "a" })
      assert.deepStrictEqual(second?.transaction.payload, {
        name: "a",
        path: pathOf(second!),
        size: 1,
        modifiedAt: "2026-01-02T00:00:00.500Z"
      })
      assert.strictEqual(yield* read(pathOf(second!)), "a")
    }))

  it.live("puts files away without overwriting any", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      const source = yield* open(inbox)
      for (const content of ["first", "second", "third", "fourth", "fifth"]) {
        yield* write(inbox, "a.csv", content)
        yield* settle(source, yield* fetch(source), Disposition.ack)
      }
      for (const content of ["sixth", "seventh"]) {
        yield* write(inbox, "a.csv", content)
        yield* settle(source, yield* fetch(source), Disposition.deadLetter(`not ${content}`))
      }
      const files = yield* tree(inbox)
      const letter = (reason: string) => `{\n  "id": "a.csv",\n  "reason": "${reason}"\n}\n`
      assert.deepStrictEqual(
        Object.fromEntries(files),
        Object.fromEntries([
          ["done/a.1.csv", "second"],
          ["done/a.2.csv", "third"],
          ["done/a.3.csv", "fourth"],
          ["done/a.4.csv", "fifth"],
          ["done/a.csv", "first"],
          ["failed/a.1.csv", "seventh"],
          ["failed/a.1.csv.reason.json", letter("not seventh")],
          ["failed/a.csv", "sixth"],
          ["failed/a.csv.reason.json", letter("not sixth")]
        ])
      )
      assert.deepStrictEqual(yield* list(inbox, "processing"), [])
    }))

  it.live("leaves a file alone while it grows", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      const source = yield* open(inbox, { stableFor: 300 })
      yield* write(inbox, "a")
      yield* touch(inbox, "a", new Date(Date.now() + 3_600_000))
      yield* write(inbox, "b")
      yield* write(inbox, "old")
      yield* touch(inbox, "old", new Date(0))
      assert.deepStrictEqual(names(yield* fetch(source)), ["old"])
      assert.deepStrictEqual(yield* source.count!, { ready: 0, inFlight: 1, delayed: 2 })
      const started = Date.now()
      const rest = [...yield* fetch(source, 2, "5 seconds")]
      while (rest.length < 2) rest.push(...yield* fetch(source, 1, "5 seconds"))
      assert.deepStrictEqual(names(rest).toSorted(), ["a", "b"])
      assert.isAtLeast(Date.now() - started, 250)
    }))

  it.live("ignores hidden and unfinished names, subfolders, and what does not match", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      for (const name of [".hidden", "a.tmp", "a.part", "a.csv.PART", "a.txt", "a.csv", "b.csv"])
        yield* write(inbox, name)
      yield* Effect.promise(() => fs.mkdir(path.join(inbox, "sub.csv")))
      assert.deepStrictEqual(names(yield* fetch(yield* open(inbox, { pattern: "[a].csv" }))), ["a.csv"])
      assert.deepStrictEqual(names(yield* fetch(yield* open(inbox, { pattern: /^b/ }))), ["b.csv"])
      assert.deepStrictEqual(names(yield* fetch(yield* open(inbox))), ["a.txt"])
    }))

  it.live("refuses links and names that are no text, and says so once", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => {
      logged.push(String(message))
    })
    return Effect.gen(function*() {
      const inbox = yield* folder
      const outside = yield* folder
      yield* write(outside, "secret")
      yield* Effect.promise(() => fs.symlink(path.join(outside, "secret"), path.join(inbox, "link")))
      const bytes = Buffer.concat([Buffer.from(`${inbox}/name-`), Buffer.from([0xe4])])
      yield* Effect.promise(() => fs.writeFile(bytes, "latin-1"))
      const source = yield* open(inbox)
      assert.deepStrictEqual(yield* fetch(source), [])
      assert.deepStrictEqual(yield* fetch(source), [])
      assert.deepStrictEqual(logged.toSorted(), [
        `"${path.join(inbox, "link")}" is not processed: it is a symbolic link`,
        `"${path.join(inbox, "name-\ufffd")}" is not processed: its name is not valid UTF-8`
      ])
      assert.deepStrictEqual(yield* list(inbox), ["done", "failed", "link", "name-\ufffd", "processing"])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.live("claims nothing outside of the folder by its name", () =>
    Effect.gen(function*() {
      const outer = yield* folder
      const inbox = path.join(outer, "inbox")
      yield* Effect.promise(() => fs.mkdir(inbox))
      yield* write(outer, "outside")
      yield* write(inbox, "inside")
      const source = yield* open(inbox)
      for (const id of ["../outside", "", ".", "..", "./inside", path.join(inbox, "inside"), "done"]) {
        const error = yield* Effect.flip(source.resolve!(id))
        assert.strictEqual(error.reason._tag, "NotFound", id)
      }
      assert.strictEqual((yield* source.resolve!("inside")).transaction.id, "inside")
    }))

  it.live("keeps the count, and the time of the file, across connectors", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      yield* write(inbox, "a")
      yield* touch(inbox, "a", new Date("2026-01-01T00:00:00.000Z"))
      for (const count of [0, 1, 2]) {
        yield* Effect.scoped(Effect.gen(function*() {
          const source = yield* open(inbox)
          const deliveries = yield* fetch(source)
          assert.deepStrictEqual(deliveries.map(({ deliveries }) => deliveries), [count])
          assert.deepStrictEqual(yield* source.extend!(deliveries), [])
          yield* settle(source, deliveries, Disposition.requeue())
        }))
      }
      yield* Effect.scoped(Effect.flatMap(open(inbox), fetch))
      const source = yield* open(inbox)
      const deliveries = yield* fetch(source)
      assert.deepStrictEqual(deliveries.map(({ deliveries }) => deliveries), [3])
      yield* settle(source, deliveries, Disposition.ack)
      const stat = yield* Effect.promise(() => fs.stat(path.join(inbox, "done", "a")))
      assert.strictEqual(stat.mtime.toISOString(), "2026-01-01T00:00:00.000Z")
    }))

  it.live("takes over a claim whose lease is over, once", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      yield* write(inbox, "a")
      const [first, second, third] = [yield* open(inbox), yield* open(inbox), yield* open(inbox)]
      const before = yield* fetch(first)
      const [directory = ""] = yield* list(inbox, "processing")
      yield* touch(path.join(inbox, "processing"), directory, new Date(0))
      const after = yield* fetch(second)
      assert.deepStrictEqual(after.map(({ deliveries }) => deliveries), [1])
      assert.deepStrictEqual(yield* fetch(third), [])
      assert.deepStrictEqual(yield* first.extend!(before), [0])
      const error = yield* Effect.flip(settle(first, before, Disposition.ack))
      assert.deepStrictEqual(error.failed?.map(({ index, reason }) => [index, reason._tag]), [[0, "LeaseLost"]])
      yield* settle(second, after, Disposition.ack)
      assert.deepStrictEqual(yield* list(inbox, "done"), ["a"])
      assert.deepStrictEqual(yield* list(inbox, "processing"), [])
    }))

  it.live("reports the loss when another settles between a claim and its settlement", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      yield* write(inbox, "a")
      const [first, second] = [yield* open(inbox), yield* open(inbox)]
      const before = yield* fetch(first)
      const [directory = ""] = yield* list(inbox, "processing")
      yield* touch(path.join(inbox, "processing"), directory, new Date(0))
      yield* settle(second, yield* fetch(second), Disposition.ack)
      for (const disposition of [Disposition.requeue(), Disposition.ack, Disposition.deadLetter("no")]) {
        const error = yield* Effect.flip(settle(first, before, disposition))
        assert.strictEqual(error.reason._tag, "LeaseLost")
      }
      assert.deepStrictEqual([...(yield* tree(inbox)).keys()], ["done/a"])
    }))

  it.live("reports the loss of what was given back when it closed", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      yield* write(inbox, "a")
      const scope = yield* Scope.make()
      const source = yield* Scope.provide(open(inbox), scope)
      const deliveries = yield* fetch(source)
      assert.isTrue(source.isHeld!(deliveries[0]!))
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(source.isHeld!(deliveries[0]!))
      const error = yield* Effect.flip(settle(source, deliveries, Disposition.ack))
      assert.strictEqual(error.reason._tag, "LeaseLost")
      assert.deepStrictEqual(names(yield* fetch(yield* open(inbox))), ["a"])
    }))

  it.live("lets a second file of a name wait for the first", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      const source = yield* open(inbox)
      yield* write(inbox, "a", "first")
      const first = yield* fetch(source)
      yield* write(inbox, "a", "second")
      assert.deepStrictEqual(yield* fetch(source), [])
      assert.deepStrictEqual(yield* source.count!, { ready: 0, inFlight: 1, delayed: 1 })
      yield* settle(source, first, Disposition.requeue())
      const again = yield* fetch(source)
      assert.strictEqual(yield* read(pathOf(again[0]!)), "first")
      yield* settle(source, again, Disposition.ack)
      const [second] = yield* fetch(source)
      assert.strictEqual(yield* read(pathOf(second!)), "second")
    }))

  it.live("removes the empty directory that a crash left, once its lease is over", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      const source = yield* open(inbox)
      const empty = path.join(inbox, "processing", "0.held.00000000-0000-4000-8000-000000000000")
      yield* Effect.promise(() => fs.mkdir(empty))
      yield* fetch(source)
      assert.lengthOf(yield* list(inbox, "processing"), 1)
      yield* Effect.promise(() => fs.utimes(empty, 0, 0))
      yield* fetch(source, 1, 30)
      assert.lengthOf(yield* list(inbox, "processing"), 0)
    }))

  it.live("takes names of any length and content", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      const long = `${"ü".repeat(125)}.json`
      const odd = "a b\nc%~'\"*?[x]\\.csv"
      const source = yield* open(inbox)
      for (const content of ["first", "second"]) {
        for (const name of [long, odd]) yield* write(inbox, name, content)
        const deliveries = yield* fetch(source)
        assert.sameMembers(names(deliveries), [long, odd])
        yield* settle(source, deliveries, Disposition.deadLetter("no"))
      }
      const kept = [...(yield* tree(inbox)).values()].filter((content) => !content.startsWith("{"))
      assert.deepStrictEqual(kept.toSorted(), ["first", "first", "second", "second"])
    }))

  it.live("makes its subfolders again when they are removed", () =>
    Effect.gen(function*() {
      const inbox = yield* folder
      const source = yield* open(inbox)
      yield* write(inbox, "a")
      const deliveries = yield* fetch(source)
      yield* Effect.promise(() => fs.rmdir(path.join(inbox, "done")))
      yield* settle(source, deliveries, Disposition.ack)
      assert.deepStrictEqual(yield* list(inbox, "done"), ["a"])
      yield* Effect.promise(() => fs.rmdir(path.join(inbox, "processing")))
      yield* write(inbox, "b")
      assert.deepStrictEqual(names(yield* fetch(source, 1, 30)), ["b"])
    }))

  it.live("fails when the folder is removed, or cannot be used", () =>
    Effect.gen(function*() {
      const outer = yield* folder
      const inbox = path.join(outer, "inbox")
      const failure = (options: Partial<Folder.Options>) =>
        Effect.map(Effect.flip(open(inbox, options)), ({ reason }) => `${reason._tag}: ${reason.message}`)
      assert.include(yield* failure({}), "NotFound: the folder")
      yield* Effect.promise(() => fs.mkdir(inbox))
      assert.include(yield* failure({ done: "../done" }), "InvalidRequest: \"done\" must be the name of a subfolder")
      assert.include(yield* failure({ failed: "" }), "InvalidRequest: \"failed\" must be the name of a subfolder")
      assert.include(
        yield* failure({ done: "failed" }),
        "InvalidRequest: \"processing\", \"done\" and \"failed\" must be"
      )
      assert.include(yield* failure({ lease: 0 }), "InvalidRequest: \"lease\" must be finite and at least 100")
      assert.include(yield* failure({ poll: Duration.infinity }), "InvalidRequest: \"poll\" must be finite")
      yield* write(outer, "file")
      assert.include(yield* failure({ path: path.join(outer, "file") }), "InvalidRequest: ")
      yield* Effect.promise(() => fs.symlink(outer, path.join(inbox, "elsewhere")))
      assert.include(yield* failure({ done: "elsewhere" }), "must be a folder, and not a link to one")
      const source = yield* open(inbox)
      yield* Effect.promise(() => fs.rm(inbox, { recursive: true }))
      const fetched = yield* Effect.result(source.fetch({ max: 1, wait: Duration.seconds(5) }))
      assert.strictEqual(Result.isFailure(fetched) && fetched.failure._tag, "FetchError")
      assert.isTrue(Result.isFailure(yield* Effect.result(source.health!)))
    }))
})

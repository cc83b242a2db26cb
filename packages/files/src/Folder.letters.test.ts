import { Connector, ConnectorError, Memory, Redrive, Task } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { Folder } from "./index.ts"

class Inbox extends Connector.Source<Inbox>()("inbox", Folder.File) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const folder = Effect.acquireRelease(
  Effect.promise(() => fs.mkdtemp(path.join(os.tmpdir(), "ergon-folder-letters-"))),
  (folder) => Effect.promise(() => fs.rm(folder, { recursive: true, force: true }))
)

/** A folder with these files, and a task that gives all of them up until it is told otherwise. */
const inbox = (...names: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const place = yield* folder
    const put = (name: string, text = name) => Effect.promise(() => fs.writeFile(path.join(place, name), text))
    const read = (name: string) => Effect.promise(() => fs.readdir(path.join(place, name)))
    for (const name of names) yield* put(name)
    const world = { works: false, read: [] as Array<string> }
    const importer = Task.consumer("importer", Inbox, ({ payload }) =>
      Effect.gen(function*() {
        if (!world.works) return yield* Effect.fail("no header")
        world.read.push(yield* Effect.promise(() => fs.readFile(payload.path, "utf8")))
      }))
    const layer = Folder.source(Inbox, { path: place, stableFor: 0, poll: 10 })
    return { importer: importer.pipe(Task.provide(layer)), bare: importer, layer, place, put, read, world }
  })

const ids = <X>(task: Task.Any<X, never>) =>
  Effect.map(Stream.runCollect(Redrive.letters(task)), (letters) => letters.map(({ letter }) => letter.id))

describe("what was given up in a folder", () => {
  it.live("is processed again under its own name, and its reason is removed", () =>
    Effect.gen(function*() {
      const { importer, place, put, read, world } = yield* inbox("a.csv")
      yield* Task.run(importer)
      yield* put("a.csv", "a second one of that name")
      yield* Task.run(importer)
      assert.deepStrictEqual(yield* read("failed"), ["a.1.csv", "a.1.csv.reason.json", "a.csv", "a.csv.reason.json"])
      assert.deepStrictEqual(yield* ids(importer), ["a.csv", "a.csv"])
      world.works = true
      assert.deepInclude(yield* Redrive.redrive(importer, { ids: ["a.csv"] }), { matched: 2, redriven: 2 })
      assert.deepStrictEqual(yield* read("failed"), [])
      const outcomes = yield* Stream.runCollect(Task.outcomes(importer))
      assert.deepStrictEqual(outcomes.map(({ deliveries, transaction }) => [transaction.id, deliveries]), [
        ["a.csv", 0],
        ["a.csv", 0]
      ])
      assert.deepStrictEqual(world.read.toSorted(), ["a second one of that name", "a.csv"])
      assert.deepStrictEqual(yield* Effect.promise(() => fs.readdir(path.join(place, "processing"))), [])
    }).pipe(Effect.scoped))

  it.live("is listed from where it was, in order, in many pages", () =>
    Effect.gen(function*() {
      const names = Array.from({ length: 120 }, (_, index) => `${String(index).padStart(3, "0")}.csv`)
      const { importer } = yield* inbox(...names)
      yield* Task.run(importer)
      assert.sameMembers(yield* ids(importer), names)
      assert.strictEqual((yield* Redrive.redrive(importer)).redriven, 120)
      assert.deepStrictEqual(yield* ids(importer), [])
    }).pipe(Effect.scoped))

  it.live("without a reason, or with one that stands alone, is no letter", () =>
    Effect.gen(function*() {
      const { importer, put } = yield* inbox("a.csv")
      yield* Task.run(importer)
      yield* put("failed/put-there-by-hand.csv")
      yield* put("failed/moved-away.csv.reason.json", "{}")
      assert.deepStrictEqual(yield* ids(importer), ["a.csv"])
    }).pipe(Effect.scoped))

  it.live("with a reason that somebody wrote is a letter, and its id leads nowhere else", () =>
    Effect.gen(function*() {
      const { importer, place, put, world } = yield* inbox()
      yield* Task.run(importer)
      yield* put("failed/x.csv")
      yield* put("failed/x.csv.reason.json", JSON.stringify({ id: "../../escaped.csv", reason: "by hand" }))
      yield* put("failed/y.csv")
      yield* put("failed/y.csv.reason.json", "no JSON")
      const letters = yield* Stream.runCollect(Redrive.letters(importer))
      assert.sameMembers(letters.map(({ letter }) => letter.reason), ["by hand", "given up by hand"])
      world.works = true
      assert.deepInclude(yield* Redrive.redrive(importer), { redriven: 2 })
      yield* Task.run(importer)
      assert.sameMembers(yield* Effect.promise(() => fs.readdir(path.join(place, "done"))), ["x.csv", "y.csv"])
    }).pipe(Effect.scoped))

  it.live("whose letter went elsewhere is not taken back, and the error says so", () =>
    Effect.gen(function*() {
      const { bare, layer, read } = yield* inbox("a.csv")
      const task = bare.pipe(Task.deadLetter(Dead))
      const layers = Layer.merge(layer, Memory.deadLetters(Dead))
      const error = yield* Effect.provide(
        Effect.andThen(Task.run(task), Effect.flip(Redrive.redrive(task))),
        layers
      )
      assert.instanceOf(error, ConnectorError.LettersError)
      assert.include(error.message, "source \"inbox\" takes nothing back")
      assert.deepStrictEqual(yield* read("done"), ["a.csv"])
    }).pipe(Effect.scoped))

  it.live("cannot be read after closing", () =>
    Effect.gen(function*() {
      const { layer } = yield* inbox("a.csv")
      const { source } = yield* Effect.scoped(Effect.provide(Effect.service(Inbox), layer))
      const error = yield* Effect.flip(source.letters!.list({ after: undefined, max: 1 }))
      assert.include(error.message, "the connector is closed")
    }).pipe(Effect.scoped))
})

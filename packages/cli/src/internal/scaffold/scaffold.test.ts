import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, FileSystem, Layer, PlatformError } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { type Asked, scaffold } from "./scaffold.ts"
import { filesOf, templates } from "./templates.ts"

/** A folder for a test, and what is in it, from its root. */
const folder = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "ergon-scaffold-")))),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
  ),
  (directory) => ({
    directory,
    at: (...parts: ReadonlyArray<string>) => path.join(directory, ...parts),
    all: () => fs.readdirSync(directory, { recursive: true, encoding: "utf8" }).toSorted()
  })
)

const make = (directory: string, asked: Partial<Asked> = {}) =>
  scaffold(directory, { name: "shop", template: "consumer", task: undefined, ...asked })

const refusal = (directory: string, asked: Partial<Asked>) =>
  Effect.map(Effect.flip(make(directory, asked)), (error) => {
    assert.strictEqual(error._tag, "UsageError")
    return error.message
  })

/** The file system, but for what happens at the nth file that is written. */
const atFile = (nth: number, what: Effect.Effect<void, PlatformError.PlatformError>) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (real) => {
      let written = 0
      return {
        ...real,
        writeFileString: (...args: Parameters<typeof real.writeFileString>) =>
          Effect.suspend(() => ++written === nth ? what : real.writeFileString(...args))
      }
    })
  ).pipe(Layer.provide(NodeServices.layer))

const full = Effect.fail(PlatformError.systemError({
  _tag: "Unknown",
  module: "FileSystem",
  method: "writeFile",
  description: "ENOSPC: no space left on device"
}))

describe("a project", () => {
  for (const { name, samples, task } of templates) {
    it.effect(`of the template ${name} has every file, its words replaced, with line feeds`, () =>
      Effect.gen(function*() {
        const { all, at, directory } = yield* folder
        const made = yield* make(directory, { template: name })
        assert.deepStrictEqual(made.files, made.files.toSorted())
        const expected = [
          ".dockerignore",
          ".env.example",
          ".github/workflows/check.yml",
          ".gitignore",
          "Dockerfile",
          "README.md",
          "deploy/kubernetes.yaml",
          "deploy/shop.service",
          "observability/compose.yaml",
          "package.json",
          "src/main.ts",
          "src/connectors/database.ts",
          ...["task", "policy", "schemas", "errors", "task.test"].map((file) => `src/tasks/${task}/${file}.ts`),
          `src/tasks/${samples}/task.ts`,
          "tsconfig.json"
        ]
        for (const file of expected) assert.include(made.files, file)
        for (const file of made.files) {
          const text = fs.readFileSync(at("shop", ...file.split("/")), "utf8")
          assert.notMatch(`${file}\n${text}`, /__[A-Z_]+__/, file)
          assert.notInclude(text, "\r", file)
          assert.match(text, /[^\n]\n$/, file)
        }
        const onDisk = all().filter((one) => fs.statSync(at(one)).isFile())
        assert.deepStrictEqual(onDisk, made.files.map((file) => path.join("shop", ...file.split("/"))).toSorted())
      }).pipe(Effect.provide(NodeServices.layer)))
  }

  it.effect("has the name and the task that were asked for", () =>
    Effect.gen(function*() {
      const { at, directory } = yield* folder
      const made = yield* make(directory, { name: "my.shop", template: "hybrid", task: "orders" })
      assert.deepInclude(made, { project: "my.shop", directory: at("my.shop"), task: "orders", template: "hybrid" })
      const manifest = JSON.parse(fs.readFileSync(at("my.shop/package.json"), "utf8"))
      assert.strictEqual(manifest.name, "my.shop")
      assert.include(manifest.scripts.start, "ergon run orders sample-orders")
      const main = fs.readFileSync(at("my.shop/src/main.ts"), "utf8")
      assert.include(main, `import { ordersTask } from "./tasks/orders/task.ts"`)
      assert.include(fs.readFileSync(at("my.shop/deploy/kubernetes.yaml"), "utf8"), "name: my-shop\n")
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("can be read by others, and its folder too", () =>
    Effect.gen(function*() {
      const { at, directory } = yield* folder
      yield* make(directory)
      const mask = 0o777 & ~process.umask()
      assert.strictEqual(fs.statSync(at("shop")).mode & 0o777, mask)
    }).pipe(Effect.provide(NodeServices.layer)))
})

describe("what it was released with", () => {
  const manifest = (file: string) =>
    JSON.parse(fs.readFileSync(new URL(`../../../../../${file}`, import.meta.url), "utf8"))

  it.effect("is pinned exactly, and is what this repository is tested with", () =>
    Effect.gen(function*() {
      const { at, directory } = yield* folder
      yield* make(directory)
      const project = JSON.parse(fs.readFileSync(at("shop/package.json"), "utf8"))
      const root = manifest("package.json")
      for (const [name, version] of Object.entries({ ...project.dependencies, ...project.devDependencies })) {
        const [scope, folder] = name.split("/")
        const ours = scope === "@ergon"
          ? manifest(`packages/${folder}/package.json`).version
          : root.devDependencies[name]
        assert.strictEqual(version, ours, name)
      }
      assert.deepStrictEqual(project.engines, root.engines)
    }).pipe(Effect.provide(NodeServices.layer)))
})

describe("ergon init .", () => {
  it.effect("fills the folder that it is called in, and leaves .git alone", () =>
    Effect.gen(function*() {
      const { at, directory } = yield* folder
      fs.mkdirSync(at("shop/.git"), { recursive: true })
      fs.writeFileSync(at("shop/.git/HEAD"), "ref")
      const made = yield* make(at("shop"), { name: "." })
      assert.strictEqual(made.project, "shop")
      assert.deepStrictEqual(
        fs.readdirSync(at("shop")).filter((name) => name !== ".git").toSorted(),
        [...new Set(made.files.map((file) => file.split("/")[0]!))].toSorted()
      )
      assert.strictEqual(fs.readFileSync(at("shop/.git/HEAD"), "utf8"), "ref")
      assert.deepStrictEqual(fs.readdirSync(directory), ["shop"])
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("says so when the name of the folder cannot be that of a package", () =>
    Effect.gen(function*() {
      const { at } = yield* folder
      fs.mkdirSync(at("My Shop"))
      assert.include(yield* refusal(at("My Shop"), { name: "." }), `called as its folder, and "My Shop" is no name`)
      assert.deepStrictEqual(fs.readdirSync(at("My Shop")), [])
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("a failure takes back what was moved", () =>
    Effect.gen(function*() {
      const { at } = yield* folder
      fs.mkdirSync(at("shop"))
      // Somebody else makes a folder of the same name in the meantime.
      const meanwhile = Effect.map(FileSystem.FileSystem, (real) => ({
        ...real,
        makeTempDirectory: (...args: Parameters<typeof real.makeTempDirectory>) =>
          Effect.tap(real.makeTempDirectory(...args), () =>
            Effect.sync(() => fs.writeFileSync(at("shop/tsconfig.json"), "theirs")))
      }))
      const error = yield* Effect.flip(make(at("shop"), { name: "." })).pipe(
        Effect.provide(Layer.effect(FileSystem.FileSystem, meanwhile))
      )
      assert.include(error.message, "tsconfig.json is there already")
      assert.deepStrictEqual(fs.readdirSync(at("shop")), ["tsconfig.json"])
      assert.strictEqual(fs.readFileSync(at("shop/tsconfig.json"), "utf8"), "theirs")
    }).pipe(Effect.provide(NodeServices.layer)))
})

describe("refuses", () => {
  it.effect("a folder that has something in it, and names it", () =>
    Effect.gen(function*() {
      const { all, at, directory } = yield* folder
      fs.mkdirSync(at("shop"))
      for (const name of ["a", "b", "c", "d"]) fs.writeFileSync(at("shop", name), name)
      const before = all()
      const message = yield* refusal(directory, {})
      assert.include(message, `${at("shop")} is not empty: it has a, b, c and 1 more`)
      assert.deepStrictEqual(all(), before)
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("a file", () =>
    Effect.gen(function*() {
      const { at, directory } = yield* folder
      fs.writeFileSync(at("shop"), "mine")
      assert.include(yield* refusal(directory, {}), "is no folder")
      assert.strictEqual(fs.readFileSync(at("shop"), "utf8"), "mine")
    }).pipe(Effect.provide(NodeServices.layer)))

  for (const kind of ["an empty folder elsewhere", "nothing"]) {
    it.effect(`a link to ${kind}`, () =>
      Effect.gen(function*() {
        const { all, at } = yield* folder
        fs.mkdirSync(at("inside"))
        if (kind !== "nothing") fs.mkdirSync(at("elsewhere"))
        fs.symlinkSync(at("elsewhere"), at("inside/shop"))
        const before = all()
        assert.include(yield* refusal(at("inside"), {}), "does not follow it")
        assert.deepStrictEqual(all(), before)
      }).pipe(Effect.provide(NodeServices.layer)))
  }

  for (const name of ["../shop", "..", "a/b", "/tmp/shop"]) {
    it.effect(`to leave its folder: ${name}`, () =>
      Effect.gen(function*() {
        const { all, at } = yield* folder
        fs.mkdirSync(at("inside"))
        yield* refusal(at("inside"), { name })
        assert.deepStrictEqual(all(), ["inside"])
      }).pipe(Effect.provide(NodeServices.layer)))
  }
})

describe("all or nothing", () => {
  for (const exists of [false, true]) {
    const into = exists ? "into an empty folder" : "into a new one"
    it.effect(`a disk that is full leaves nothing behind, ${into}`, () =>
      Effect.gen(function*() {
        const { all, at, directory } = yield* folder
        if (exists) fs.mkdirSync(at("shop"))
        const before = all()
        const { length } = yield* filesOf(templates[0])
        for (const nth of [1, 2, length]) {
          const error = yield* Effect.flip(make(directory)).pipe(Effect.provide(atFile(nth, full)))
          assert.strictEqual(error._tag, "WriteError")
          assert.include(error.message, `could not make ${at("shop")}`)
          assert.include(error.message, "ENOSPC")
          assert.deepStrictEqual(all(), before)
        }
        yield* make(directory)
        assert.include(all(), path.join("shop", "package.json"))
      }).pipe(Effect.provide(NodeServices.layer)))

    it.live(`an interruption leaves nothing behind, ${into}`, () =>
      Effect.gen(function*() {
        const { all, at, directory } = yield* folder
        if (exists) fs.mkdirSync(at("shop"))
        const before = all()
        const reached = yield* Deferred.make<void>()
        const hangs = atFile(5, Effect.andThen(Deferred.succeed(reached, undefined), Effect.never))
        const running = yield* Effect.forkChild(make(directory).pipe(Effect.provide(hangs)))
        yield* Deferred.await(reached)
        assert.isAbove(all().length, before.length)
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual(all(), before)
      }).pipe(Effect.provide(NodeServices.layer)))
  }

  it.effect("one that somebody else made in the meantime stays as it is", () =>
    Effect.gen(function*() {
      const { at, directory } = yield* folder
      const race = atFile(
        3,
        Effect.sync(() => {
          fs.mkdirSync(at("shop"))
          fs.writeFileSync(at("shop/theirs"), "theirs")
        })
      )
      const error = yield* Effect.flip(make(directory)).pipe(Effect.provide(race))
      assert.include(error.message, "is there already")
      assert.deepStrictEqual(fs.readdirSync(directory), ["shop"])
      assert.deepStrictEqual(fs.readdirSync(at("shop")), ["theirs"])
    }).pipe(Effect.provide(NodeServices.layer)))
})

/** What the compiler shows of tasks: their inferred types in a hover, and its message for what must not compile. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

const root = path.resolve(import.meta.dirname, "../../..")

const keys = `
import { Connector, Decision, Memory, Task, Transaction } from "@ergon/core"
import { Context, Effect, Schema } from "effect"
const Order = Schema.Struct({ quantity: Schema.Int })
export class Orders extends Connector.Source<Orders>()("orders", Order) {}
export class Receipts extends Connector.Sink<Receipts>()("receipts", Schema.Struct({ total: Schema.Number })) {}
export class Dead extends Connector.DeadLetters<Dead>()("dead") {}
export class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String }) {}
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", { after: Schema.Int }) {}
export class Pricing extends Context.Service<Pricing, { readonly price: Effect.Effect<number, RateLimited> }>()("Pricing") {}
const task = Task.consumer("task", Orders, Effect.fnUntraced(function*(transaction) {
  if (transaction.payload.quantity < 0) return yield* new OutOfStock({ sku: transaction.id })
  return yield* Pricing.use((pricing) => pricing.price)
}))
`

// What must compile, and the type that is shown of it.
const shown: ReadonlyArray<readonly [name: string, program: string, type: string]> = [
  [
    "a consumer",
    "task",
    "Task.Task<{ readonly quantity: number; }, number, OutOfStock | RateLimited, Orders | Pricing, RunError>"
  ],
  [
    "a consumer with a sink and dead letters",
    `task.pipe(Task.dispatch(Receipts, ({ id }, total) => Transaction.make(id, { total })), Task.deadLetter(Dead))`,
    "Task.Task<{ readonly quantity: number; }, number, OutOfStock | RateLimited, " +
    "Orders | Pricing | Receipts | Dead, RunError>"
  ],
  [
    "a program of its own",
    `Task.make("made", Pricing.use((pricing) => pricing.price))`,
    "Task.Any<RateLimited, Pricing>"
  ],
  ["a run", "Task.run(task)", "Effect.Effect<Summary, RunError, Orders | Pricing>"],
  [
    "a run without one of its Layers",
    "Task.run(task).pipe(Effect.provide(Memory.source(Orders, [])))",
    "Effect.Effect<Summary, RunError, Pricing>"
  ],
  [
    "the outcomes",
    "Task.outcomes(task)",
    "Stream<Outcome<{ readonly quantity: number; }, number, OutOfStock | RateLimited>, RunError, Orders | Pricing>"
  ]
]

// What must not compile, and what the message has to say.
const refused: ReadonlyArray<readonly [name: string, program: string, says: ReadonlyArray<string>]> = [
  [
    "a missing Layer is named by its key",
    "void Effect.runPromise(Task.run(task).pipe(Effect.provide(Memory.source(Orders, []))))",
    ["Type 'Pricing' is not assignable to type 'never'"]
  ],
  [
    "a missing source is named by its key",
    "void Effect.runPromise(Effect.provideService(Task.run(task), Pricing, { price: Effect.succeed(1) }))",
    ["Type 'Orders' is not assignable to type 'never'"]
  ],
  [
    "consuming from a sink: it has no source",
    `Task.consumer("x", Receipts, () => Effect.void)`,
    ["'typeof Receipts'", "'AnySource<", "Property 'source' is missing in type '{ readonly sink: SinkService; }'"]
  ],
  [
    "dispatching to a source: it has no sink",
    "task.pipe(Task.dispatch(Orders, (transaction) => transaction))",
    ["'typeof Orders'", "'AnySink<", "Property 'sink' is missing in type '{ readonly source: SourceService; }'"]
  ],
  [
    "a sink as dead letters",
    "task.pipe(Task.deadLetter(Receipts))",
    ["'typeof Receipts'", "Property 'deadLetters' is missing in type '{ readonly sink: SinkService; }'"]
  ],
  [
    "a payload of the wrong type names both",
    "task.pipe(Task.dispatch(Receipts, ({ id }, total) => Transaction.make(id, { total: String(total) })))",
    ["Type 'string' is not assignable to type 'number'"]
  ],
  ["a missing tag is named", "task.pipe(Task.decide({ OutOfStock: Decision.discard }))", [
    "Property 'RateLimited' is missing"
  ]],
  [
    "an extra tag is not a decision",
    "task.pipe(Task.decide({ OutOfStock: Decision.discard, RateLimited: Decision.retry, Nope: Decision.retry }))",
    ["Type 'Decision' is not assignable to type 'never'"]
  ],
  [
    "errors without tags: pass a function",
    `Task.consumer("x", Orders, () => Effect.fail(new Error("no"))).pipe(Task.decide({}))`,
    ["this error has members without a _tag: pass a function instead of a record"]
  ],
  [
    "a misspelt policy key, with the nearest valid one",
    "task.pipe(Task.policy({ loop: { concurency: 1 } }))",
    ["'concurency' does not exist", "Did you mean to write 'concurrency'?"]
  ],
  [
    "dispatching what a program of its own has not",
    `Task.make("x", Effect.void).pipe(Task.dispatch(Receipts, () => []))`,
    ["Type 'Any<never, never>' is missing"]
  ]
]

interface Compiled {
  readonly declarations: string
  /** By line, counted from the end of `keys`. */
  readonly messages: ReadonlyMap<number, string>
}

const options = {
  composite: false,
  incremental: false,
  tsBuildInfoFile: null,
  noUnusedLocals: false,
  rootDir: ".",
  outDir: "out",
  emitDeclarationOnly: true
}

const tsc = (directory: string, source: string): Compiled => {
  fs.symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"))
  fs.writeFileSync(path.join(directory, "package.json"), JSON.stringify({ type: "module" }))
  fs.writeFileSync(path.join(directory, "shown.ts"), keys + source)
  fs.writeFileSync(
    path.join(directory, "tsconfig.json"),
    JSON.stringify({ extends: path.join(root, "tsconfig.base.json"), compilerOptions: options, files: ["shown.ts"] })
  )
  const compiler = path.join(root, "node_modules/typescript/bin/tsc")
  const { error, stdout } = spawnSync(process.execPath, [compiler, "-p", directory, "--pretty", "false"], {
    encoding: "utf8"
  })
  if (error !== undefined) throw error
  const messages = new Map<number, string>()
  for (const message of stdout.split(/^(?=\S)/m).filter((text) => text !== "")) {
    const line = /^\S*shown\.ts\((\d+),/.exec(message)
    if (line === null) throw new Error(`the compiler says: ${message}`)
    const at = Number(line[1]) - keys.split("\n").length
    messages.set(at, (messages.get(at) ?? "") + message)
  }
  return { messages, declarations: fs.readFileSync(path.join(directory, "out/shown.d.ts"), "utf8") }
}

/** Compiles one module against the sources of this package. */
const compile = (source: string): Effect.Effect<Compiled> =>
  Effect.acquireUseRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "ergon-displayed-"))),
    (directory) => Effect.sync(() => tsc(directory, source)),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true }))
  )

// The compiler orders the members of a union as it met them.
const sorted = (type: string): string =>
  type.replace(/\w+(?: \| \w+)+/g, (union) => union.split(" | ").sort((a, b) => a.localeCompare(b)).join(" | "))

/** The declared type of a constant, on one line and without where its names come from. */
const typeOf = (declarations: string, name: string): string => {
  const declared = new RegExp(`declare const ${name}: ([^]*?);\\n(?=export|declare|//)`).exec(declarations)
  return sorted((declared?.[1] ?? "").replace(/\s+/g, " ").replace(/import\("[^"]*"\)\.(?=[A-Z])/g, ""))
}

describe("what the compiler shows of a task", () => {
  it.live("in a hover: payload, result, errors, and what it needs", () =>
    Effect.gen(function*() {
      const { declarations, messages } = yield* compile(
        shown.map(([, program], n) => `export const shown${n} = ${program}`).join("\n")
      )
      assert.deepStrictEqual([...messages.values()], [])
      shown.forEach(([name, , type], n) => assert.strictEqual(typeOf(declarations, `shown${n}`), sorted(type), name))
    }))

  it.live("of what must not compile: a message that names what is missing or wrong", () =>
    Effect.gen(function*() {
      const { messages } = yield* compile(refused.map(([, program]) => program).join("\n"))
      refused.forEach(([name, , says], n) => {
        for (const text of says) assert.include(messages.get(n) ?? "", text, name)
      })
    }))
})

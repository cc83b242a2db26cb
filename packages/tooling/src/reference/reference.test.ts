import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { load } from "../workspace/workspace.ts"
import { parse } from "./docblock.ts"
import { catalogue } from "./errors.ts"
import { missing } from "./missing.ts"
import { ofPackage } from "./pages.ts"
import { commandsPage } from "./commands.ts"
import { policyPage } from "./policy.ts"
import { signalsPage } from "./signals.ts"
import { publicModules } from "./symbols.ts"

const root = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-reference-"))
const write = (file: string, text: string) => {
  fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
  fs.writeFileSync(path.join(root, file), text)
}

write(
  "packages/core/package.json",
  JSON.stringify({
    name: "@ergon/core",
    exports: {
      ".": { "@ergon/source": "./src/index.ts" },
      "./testing": { "@ergon/source": "./src/testing/index.ts" },
      "./*": { "@ergon/source": "./src/*.ts" },
      "./internal/*": null
    }
  })
)
write("packages/core/src/index.ts", "export * as Task from \"./Task.ts\"\n")
write("packages/core/src/testing/index.ts", "export * as Law from \"./Law.ts\"\n")
write("packages/core/src/testing/Law.ts", "/** Laws. */\n\n/** @since 0.1.0 */\nexport const all = []\n")
write("packages/core/src/Reason.ts", "export const unlisted = 1\n")
write(
  "packages/core/src/internal/start.ts",
  "/**\n * Starts.\n *\n * @category running\n * @since 0.1.0\n */\nexport const start = 1\n"
)
write(
  "packages/core/src/Task.ts",
  `/**
 * What a task is.
 */
import * as Schema from "effect/Schema"
import { start } from "./internal/start.ts"

/**
 * Runs a task,
 * once.
 *
 * **Details**
 * Waits | at most a second.
 *
 * @category running
 * @since 0.1.0
 */
export const run = 1

/** No tags. */
export interface Task {}

export type Bare = string

const hidden = 2
export {
  /**
   * Another name.
   *
   * @category running
   * @since 0.1.0
   */
  hidden as shown,
  start
}

/**
 * Refused.
 *
 * @category errors
 * @since 0.1.0
 */
export class Refused extends Schema.TaggedError<Refused>("@ergon/core/Refused")("Refused", { reason: Schema.String }) {
  get isRetryable(): boolean {
    return false
  }
}

/**
 * Lost. Retryable.
 *
 * @category errors
 * @since 0.1.0
 */
export class Lost extends Schema.TaggedError<Lost>("@ergon/core/Lost")("Lost", {}) {}

/**
 * Failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class Failed extends Schema.TaggedError<Failed>("@ergon/core/Failed")("Failed", { reason: Reason }) {}
`
)

const workspace = load(root)
const [core] = workspace.packages
if (core === undefined) throw new Error("the fixture has a package")
const modules = publicModules(workspace, core)

describe("reference", () => {
  afterAll(() => fs.rmSync(root, { recursive: true }))

  it("takes a docblock apart", () => {
    const docblock = parse(
      "/**\n * One\n * summary.\n *\n * Body.\n *\n * ```ts\n * // @not a tag\n * ```\n * @since 0.1.0\n */"
    )
    assert.strictEqual(docblock.summary, "One summary.")
    assert.strictEqual(docblock.body, "Body.\n\n```ts\n// @not a tag\n```")
    assert.deepStrictEqual([...docblock.tags], [["since", "0.1.0"]])
  })

  it("finds the modules that can be imported, by every entry of the package", () => {
    assert.deepStrictEqual(modules.map(({ entry, name }) => `${entry} ${name}`), [
      "@ergon/core Task",
      "@ergon/core/testing Law",
      "@ergon/core Reason"
    ])
  })

  it("finds declarations, renamed exports and re-exports with their docblocks", () => {
    const found = modules[0]?.exports.map(({ docblock, name }) => `${name}: ${docblock?.summary ?? "-"}`)
    assert.deepStrictEqual(found, [
      "run: Runs a task, once.",
      "Task: No tags.",
      "Bare: -",
      "shown: Another name.",
      "start: Starts.",
      "Refused: Refused.",
      "Lost: Lost. Retryable.",
      "Failed: Failed."
    ])
  })

  it("names every docblock that is missing or lacks a tag", () => {
    assert.deepStrictEqual(modules.flatMap(missing), [
      "packages/core/src/Task.ts:20: Task.Task lacks @category and @since",
      "packages/core/src/Task.ts:22: Task.Bare has no docblock",
      "packages/core/src/testing/Law.ts:4: Law.all lacks a summary and @category",
      "packages/core/src/Reason.ts:1: the module Reason has no docblock of its own",
      "packages/core/src/Reason.ts:1: Reason.unlisted has no docblock"
    ])
  })

  it("says of every error whether trying again can help", () => {
    assert.deepStrictEqual(catalogue(modules).map(({ retryable, tag }) => `${tag}: ${retryable}`), [
      "Refused: no",
      "Lost: yes",
      "Failed: as its reason says"
    ])
  })

  it("writes a page per module and links every symbol", () => {
    const pages = ofPackage(core, modules, (_, { name }) => `const ${name}: number`)
    assert.deepStrictEqual(pages.map((page) => page.path), [
      "core.md",
      "core/Reason.md",
      "core/Task.md",
      "core/testing/Law.md"
    ])
    assert.include(pages[0]?.text, "| [`run`](core/Task.md#run) | running | Runs a task, once. |")
    assert.include(pages[0]?.text, "[`Task`](core/Task.md#task-1)")
    assert.include(
      pages[2]?.text,
      "### run\n\nRuns a task, once.\n\n```ts\nconst run: number\n```\n\n**Details**\nWaits |"
    )
  })
})

describe("the fields of the policy", () => {
  it("have a table for each part, and no cell breaks it", () => {
    const field = { kind: "word", default: "a", bounds: "a, b", unit: "", doc: "a | b", variable: "LOOP_MODE" }
    const { text } = policyPage([{ ...field, path: "loop.mode" }, { ...field, path: "fetch.batch.size" }])
    assert.deepStrictEqual(text.match(/^## .*$/gm), ["## loop", "## fetch"])
    assert.include(text, "| `loop.mode` | word | a | a, b |  | a \\| b | `LOOP_MODE` |")
  })
})

describe("the names of telemetry", () => {
  it("have a table each, with what each means", () => {
    const { text } = signalsPage({
      spans: { run: { name: "run", of: "task", kind: "internal", doc: "A whole run." } },
      attributes: { task: "ergon.task", outcome: "ergon.outcome" },
      meanings: { task: "The name of the task.", outcome: "How it ended." },
      metrics: {
        transactions: { name: "ergon.transactions", kind: "counter", unit: "1", labels: ["ergon.outcome"], doc: "All." }
      }
    })
    assert.deepStrictEqual(text.match(/^## .*$/gm), ["## Spans", "## Attributes", "## Metrics"])
    assert.include(text, "| `run <task>` | internal | A whole run. |")
    assert.include(text, "| `ergon.outcome` | How it ended. |")
    assert.include(text, "| `ergon.transactions` | counter | `1` | `ergon.outcome` | All. |")
  })
})

describe("the commands", () => {
  it("have a part each, with their arguments, flags, examples and sections", () => {
    const doc = {
      path: "ergon",
      description: "Does things.",
      usage: "ergon <subcommand>",
      arguments: [],
      flags: [],
      globalFlags: [{ name: "help", aliases: ["-h"], type: "boolean", description: "Shows help" }],
      sections: [{ title: "EXIT CODES", lines: ["0 done", "  1 not"] }],
      examples: []
    }
    const run = {
      ...doc,
      path: "ergon run",
      usage: "ergon run [flags] [<name...>]",
      arguments: [{ name: "name", description: "Tasks", required: false, variadic: true }],
      flags: [{ name: "kind", aliases: [], type: "<a|b>", description: "Which (choices: a, b)" }],
      sections: [],
      examples: [{ command: "ergon run orders", description: "One task" }, { command: "ergon run", description: "" }]
    }
    const { path, text } = commandsPage([doc, run])
    assert.strictEqual(path, "cli-commands.md")
    assert.deepStrictEqual(text.match(/^## .*$/gm), ["## ergon", "## ergon run"])
    assert.include(text, "- [ergon run](#ergon-run)")
    assert.include(text, "| `--help`, `-h` |  | Shows help |")
    assert.include(text, "| `--kind` | `a\\|b` | Which |")
    assert.include(text, "| `name` | optional, any number | Tasks |")
    assert.include(text, "```sh\n# One task\nergon run orders\n\nergon run\n```")
    assert.include(text, "**Exit codes**\n\n```text\n0 done\n  1 not\n```")
    assert.strictEqual(text.match(/Shows help/g)?.length, 1)
  })
})

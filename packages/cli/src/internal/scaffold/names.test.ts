import { Policy } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { checkProject, checkTask, constantOf, labelOf, variablePrefixOf } from "./names.ts"

const problem = (name: string) => Effect.map(Effect.flip(checkProject(name)), ({ message }) => message)

describe("the name of a project", () => {
  for (const name of ["a", "my-project", "x2", "2x", "a.b_c", "a".repeat(214)]) {
    it.effect(`takes ${name.slice(0, 20)}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* checkProject(name), name)
      }))
  }

  const escapes = ["..", "../x", "a/b", "/etc/x", "a/", "a\\b", "C:x", "c:\\x", "./x", "@scope/x"]
  for (const name of escapes) {
    it.effect(`refuses to leave its folder: ${name}`, () =>
      Effect.gen(function*() {
        const message = yield* problem(name)
        assert.include(message, JSON.stringify(name))
        assert.include(message, "give its name alone")
      }))
  }

  const invalid = [
    "",
    " ",
    ".x",
    "_x",
    "-x",
    "x.",
    "My-Project",
    "my project",
    "x~",
    "ü",
    "a\u0000b",
    "a\nb",
    "a".repeat(215)
  ]
  for (const name of invalid) {
    it.effect(`refuses what npm does not take: ${JSON.stringify(name.slice(0, 20))}`, () =>
      Effect.gen(function*() {
        const message = yield* problem(name)
        assert.include(message, `a-z, 0-9, "-", "_" and "."`)
        if (name.length < 60 && name !== "") assert.include(message, JSON.stringify(name))
      }))
  }

  it.effect("names one that npm would take", () =>
    Effect.gen(function*() {
      assert.match(yield* problem("My Project!"), /Did you mean "my-project"\?$/)
      assert.notInclude(yield* problem("???"), "Did you mean")
    }))

  for (
    const name of ["con", "aux", "lpt1", "nul.txt", "node_modules", "http", "fs", "effect", "vitest", "typescript"]
  ) {
    it.effect(`refuses what is taken: ${name}`, () =>
      Effect.gen(function*() {
        assert.include(yield* problem(name), `"${name}" `)
      }))
  }
})

describe("the name of a task", () => {
  for (const name of ["orders", "price-orders", "v2-orders", "a"]) {
    it.effect(`takes ${name}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* checkTask(name, "samples"), name)
      }))
  }

  for (
    const name of [
      "",
      "Orders",
      "price_orders",
      "2-orders",
      "-a",
      "a-",
      "a--b",
      "../a",
      "a/b",
      "a b",
      "con",
      "a".repeat(61)
    ]
  ) {
    it.effect(`refuses ${JSON.stringify(name.slice(0, 20))}`, () =>
      Effect.gen(function*() {
        const { message } = yield* Effect.flip(checkTask(name, "samples"))
        assert.include(message, `--task: ${JSON.stringify(name)}`)
        assert.include(message, "price-orders")
      }))
  }

  it.effect("refuses that of another task of the template", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(checkTask("samples", "samples"))).message, "already")
    }))

  it("is a constant that means nothing else", () => {
    assert.strictEqual(constantOf("price-orders", ""), "priceOrders")
    assert.strictEqual(constantOf("v2-orders", ""), "v2Orders")
    assert.strictEqual(constantOf("delete", ""), "deleteTask")
    assert.strictEqual(constantOf("order", "const order = 1"), "orderTask")
    assert.strictEqual(constantOf("order", "const orders = 1"), "order")
  })

  it.effect("is a prefix of the variables that the policy is read from", () =>
    Effect.gen(function*() {
      const name = `${variablePrefixOf("price-orders-2")}_LOOP_CONCURRENCY`
      const provider = ConfigProvider.fromEnv({ env: { [name]: "7" } })
      const input = yield* Policy.fromConfig("price-orders-2").pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, provider)
      )
      assert.deepStrictEqual(input, { loop: { concurrency: 7 } })
    }))
})

describe("a label", () => {
  it("is one of Kubernetes", () => {
    assert.strictEqual(labelOf("my.app_x"), "my-app-x")
    assert.strictEqual(labelOf("a".repeat(214)), "a".repeat(40))
    assert.strictEqual(labelOf(`${"a".repeat(39)}-b`), "a".repeat(39))
  })
})

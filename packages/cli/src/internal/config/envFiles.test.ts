import { NodeFileSystem } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { load, parse } from "./envFiles.ts"

describe("a .env file", () => {
  it("is read as people write it", () =>
    Effect.runPromise(Effect.gen(function*() {
      const environment = yield* parse([
        "# comment",
        "export DATABASE_URL=\"postgres://localhost/shop\"",
        "BLANK=",
        "ERGON_ORDERS_LOOP_LIMIT=3 # so many",
        "SHARDS_0=a",
        "SHARDS_1=b",
        "QUOTED='a b'",
        "URL=${DATABASE_URL}/x"
      ].join("\r\n"))
      expect(environment).toEqual({
        DATABASE_URL: "postgres://localhost/shop",
        BLANK: "",
        ERGON_ORDERS_LOOP_LIMIT: "3",
        SHARDS_0: "a",
        SHARDS_1: "b",
        QUOTED: "a b",
        URL: "postgres://localhost/shop/x"
      })
    })))
})

describe("the files of a command line", () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ergon-env-"))
    writeFileSync(join(folder, "a"), "A=1\nBOTH=a\n")
    writeFileSync(join(folder, "b"), "B=2\nBOTH=b\n")
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const loaded = (given: ReadonlyArray<string>, environment: { readonly [name: string]: string }) =>
    Effect.gen(function*() {
      const told: Array<unknown> = []
      const console = { ...(yield* Console.Console), error: (text: unknown) => void told.push(text) }
      const variables = yield* load(given, environment).pipe(
        Effect.provideService(Console.Console, console),
        Effect.provide(NodeFileSystem.layer)
      )
      return { variables, told }
    })

  it("are none unless asked for", () =>
    Effect.runPromise(Effect.gen(function*() {
      expect(yield* loaded([], {})).toEqual({ variables: {}, told: [] })
      expect(yield* loaded([], { ENV_FILE: "  " })).toEqual({ variables: {}, told: [] })
    })))

  it("win over those given before, and over the one of ENV_FILE", () =>
    Effect.runPromise(Effect.gen(function*() {
      const [a, b] = [join(folder, "a"), join(folder, "b")]
      expect((yield* loaded([a, b], {})).variables).toEqual({ A: "1", B: "2", BOTH: "b" })
      expect((yield* loaded([a], { ENV_FILE: b })).variables).toEqual({ A: "1", B: "2", BOTH: "a" })
    })))

  it("that ENV_FILE names and are not there are a notice", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { told, variables } = yield* loaded([join(folder, "a")], { ENV_FILE: join(folder, "none") })
      expect(variables).toEqual({ A: "1", BOTH: "a" })
      expect(told).toEqual([
        `ergon: ENV_FILE is "${join(folder, "none")}": there is no such file; going on without it`
      ])
    })))

  it("that are named and not there are errors, all at once", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { message } = yield* Effect.flip(loaded([join(folder, "x"), join(folder, "a"), folder], {}))
      expect(message).toContain("2 problems:")
      expect(message).toContain(`--env-file ${join(folder, "x")}: there is no such file`)
      expect(message).toContain(`--env-file ${folder}: it cannot be read`)
    })))
})

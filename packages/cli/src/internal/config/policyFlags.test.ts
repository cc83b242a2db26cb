import { Policy } from "@ergon/core"
import { Effect, Option } from "effect"
import { describe, expect, it } from "vitest"
import { flagOf, policyFlags, read, section } from "./policyFlags.ts"

const given = (strings: { readonly [path: string]: string }) =>
  Object.fromEntries(Policy.fields.map(({ path }) => [path, Option.fromUndefinedOr(strings[path])]))

describe("the flags of the policy", () => {
  it("are one for every field, and the help names each", () => {
    expect(Object.keys(policyFlags)).toEqual(Policy.fields.map(({ path }) => path))
    const help = section.lines.join("\n")
    for (const { path } of Policy.fields) {
      expect(help).toMatch(new RegExp(`--${flagOf(path)}( |$)`, "m"))
      expect(section.flags?.has(flagOf(path))).toBe(true)
    }
  })

  it("have the names of the fields", () => {
    expect(flagOf("process.retry.maxAttempts")).toBe("process-retry-max-attempts")
    expect(flagOf("loop.limit")).toBe("loop-limit")
    expect(new Set(Policy.fields.map(({ path }) => flagOf(path))).size).toBe(Policy.fields.length)
  })

  it("say what the fields are", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { input, problems } = yield* read(given({
        "process.retry.maxAttempts": "3",
        "process.retry.backoff": "2",
        "loop.streaming": "true",
        "transaction.timeout": "none"
      }))
      expect(problems).toEqual([])
      const policy = Policy.make(input)
      expect(policy.process.retry.maxAttempts).toBe(3)
      expect(Policy.delays(policy.process.retry)).toEqual([2000, 2000])
      expect(policy.loop.streaming).toBe(true)
      expect(policy.transaction.timeout).toEqual(Policy.make({ transaction: { timeout: null } }).transaction.timeout)
    })))

  it("are refused all at once, by the names they were given with", () =>
    Effect.runPromise(Effect.gen(function*() {
      const shortcuts = { "loop.concurrency": { flag: "--concurrency", text: Option.some("0") } }
      const { problems } = yield* read(
        given({ "process.retry.maxAttempts": "x", "loop.mode": "bach", "fetch.wait": " " }),
        shortcuts
      )
      expect(problems).toHaveLength(4)
      expect(problems.join("\n")).toMatch(/^--concurrency: "0" is not valid/m)
      expect(problems.join("\n")).toMatch(/^--process-retry-max-attempts: "x" is not valid/m)
      expect(problems.join("\n")).toMatch(/^--loop-mode: "bach" is not valid/m)
      expect(problems.join("\n")).toMatch(/^--fetch-wait has no value/m)
    })))

  it("and their short forms are not given together", () =>
    Effect.runPromise(Effect.gen(function*() {
      const shortcuts = { "loop.limit": { flag: "--limit", text: Option.some("1") } }
      expect((yield* read(given({ "loop.limit": "1" }), shortcuts)).problems)
        .toEqual(["--limit and --loop-limit are the same field: give one of them"])
      expect((yield* read(given({}), shortcuts)).input).toEqual({ loop: { limit: 1 } })
    })))
})

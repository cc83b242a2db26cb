import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { commandDocs } from "./commandDocs.ts"

describe("the documentation of the commands", () => {
  it.effect("has every command, and words for each flag and argument", () =>
    Effect.gen(function*() {
      const docs = yield* commandDocs
      const paths = docs.map(({ path }) => path)
      assert.strictEqual(paths[0], "ergon")
      assert.includeMembers(paths, ["ergon list", "ergon run", "ergon plan", "ergon process-transaction"])
      for (const { arguments: args, description, flags, globalFlags, path } of docs) {
        assert.isNotEmpty(description, path)
        for (const one of [...args, ...flags, ...globalFlags]) {
          assert.isNotEmpty(one.description, `${path} ${one.name}`)
        }
      }
    }))

  it.effect("tells the flags of the policy in a section, and the same ones for run and plan", () =>
    Effect.gen(function*() {
      const docs = yield* commandDocs
      const [run, plan] = ["ergon run", "ergon plan"].map((path) => docs.find((doc) => doc.path === path)!)
      const policy = (doc: typeof run) => doc!.sections.find(({ title }) => title === "POLICY FLAGS")
      assert.deepStrictEqual(policy(run), policy(plan))
      assert.include(policy(plan)!.lines.join("\n"), "--process-retry-max-attempts")
      assert.notInclude(plan!.flags.map(({ name }) => name), "process-timeout")
      assert.includeMembers(plan!.flags.map(({ name }) => name), ["limit", "concurrency", "once", "mermaid", "json"])
    }))
})

import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { bugs } from "./simulation/test/bugs.ts"
import { generate } from "./simulation/test/generated.ts"
import { trial } from "./simulation/trial.ts"
import { kinds } from "./SimulationFault.ts"

describe("bugs to be planted", () => {
  it("there are enough of them, each with a name of its own", () => {
    assert.isAtLeast(bugs.length, 15)
    assert.strictEqual(new Set(bugs.map(({ name }) => name)).size, bugs.length)
  })

  it.each(bugs)("$name: applies to the sources as they are", ({ file, from, to }) => {
    const source = readFileSync(new URL(`../${file}`, import.meta.url), "utf8")
    assert.strictEqual(source.split(from).length - 1, 1, `it stands once in ${file}`)
    assert.notStrictEqual(from, to)
  })
})

describe("generated seeds", () => {
  it("every kind of fault happens", { timeout: 60_000 }, async () => {
    const missing = new Set(Object.entries(kinds).flatMap(([step, kinds]) => kinds.map((kind) => `${step} ${kind}`)))
    for (let seed = 1; seed <= 2_000 && missing.size > 0; seed++) {
      const { how, spec } = generate(seed)
      const { script, violation } = await trial(spec, seed, how)
      assert.isUndefined(violation, `seed ${seed}`)
      for (const { kind, step } of script) missing.delete(`${step} ${kind}`)
    }
    assert.deepStrictEqual(Array.from(missing), [])
  })
})

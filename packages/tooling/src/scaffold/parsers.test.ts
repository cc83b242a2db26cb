import { assert, describe, it } from "vitest"
import { environmentOf, execForm, lastOf, parseDockerfile } from "./dockerfile.ts"
import { namesIn, namesOf } from "./promql.ts"
import { at, documents } from "./tree.ts"
import { parseUnit, seconds, setting } from "./unit.ts"

describe("a Dockerfile", () => {
  it("has stages, and instructions over several lines", () => {
    const [build, last] = parseDockerfile(
      `ARG X=1\nFROM node:24 AS build\nRUN a \\\n  b\n# no\nFROM node:24\nENV A=1 B="2"\nUSER u\nUSER v\n`
    )
    assert.strictEqual(build?.name, "build")
    assert.strictEqual(lastOf(build!, "RUN"), "a    b")
    assert.strictEqual(lastOf(last!, "USER"), "v")
    assert.deepStrictEqual([...environmentOf(last!)], [["A", "1"], ["B", "2"]])
  })

  for (
    const [text, problem] of [["USER x", "before FROM"], ["", "no FROM"], ["FROM a\nRUNN b", "no instruction"], [
      "FROM a\nRUN",
      "nothing"
    ]]
  ) {
    it(`is refused: ${JSON.stringify(text)}`, () => assert.throws(() => parseDockerfile(text ?? ""), problem))
  }

  it("runs without a shell only in exec form", () => {
    assert.deepStrictEqual(execForm(`["node", "a b"]`), ["node", "a b"])
    assert.isUndefined(execForm("node a"))
  })
})

describe("a unit", () => {
  it("has sections and settings, several of one name too", () => {
    const unit = parseUnit("# no\n[Service]\nA=1\nA=2 # three\n\n[Install]\nA=\n")
    assert.strictEqual(setting(unit, "Service", "A"), "1 2 # three")
    assert.strictEqual(setting(unit, "Install", "A"), "")
    assert.isUndefined(setting(unit, "Install", "B"))
  })

  it("is refused with the line that is none", () => {
    assert.throws(() => parseUnit("[Service]\nA"), "line 2")
    assert.throws(() => parseUnit("A=1"), "line 1")
  })

  it("has spans of time in seconds", () => {
    assert.deepStrictEqual(["50", "50s", "1min 30s", "1500ms", "2h"].map(seconds), [50, 50, 90, 1.5, 7200])
    for (const text of ["", "soon", "5 parsecs", undefined]) assert.isNaN(seconds(text))
  })
})

describe("a query", () => {
  it("names metrics and labels, and nothing else", () => {
    const { labels, metrics } = namesIn(
      `sum by (outcome, job) (rate(ergon_a_total{task=~"$task", x!="a{b}c"}[$__rate_interval])) / on (le) ergon_b > bool 1e3`
    )
    assert.deepStrictEqual([...metrics].toSorted(), ["ergon_a_total", "ergon_b"])
    assert.deepStrictEqual([...labels].toSorted(), ["le", "outcome", "task", "x"])
  })

  it("asks for what an exposition has", () => {
    const { labels, metrics } = namesOf(`# HELP a b c\n# TYPE a counter\na{task="x",le="+Inf"} 1\nb 2 123\n`)
    assert.deepStrictEqual([[...metrics], [...labels]], [["a", "b"], ["task", "le"]])
    assert.throws(() => namesOf("<html>"), "/metrics answers")
  })
})

describe("a tree", () => {
  it("is looked at by paths, in several documents", () => {
    const [first, second] = documents("a:\n  - b: 1\n---\nc: [x]\n")
    assert.strictEqual(at(first, "a.0.b"), 1)
    assert.strictEqual(at(second, "c.0"), "x")
    assert.isUndefined(at(second, "c.1.d"))
  })
})

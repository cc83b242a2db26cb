import { assert, describe, it } from "vitest"
import { instrument } from "./instrument.ts"

describe("instrument", () => {
  it("checks an expression and keeps its lines", () => {
    const { checks, code, problems } = instrument("f(\n  1\n) // => 2\ng()")
    assert.deepStrictEqual(problems, [])
    assert.deepStrictEqual(checks, [3])
    assert.strictEqual(code, ";await __check(3, (f(\n  1\n)), () => (2)) // => 2\ng()")
  })

  it("checks the value of a binding", () => {
    assert.strictEqual(
      instrument("const x = f() // => 2").code,
      "const x = f(); await __check(1, (x), () => (2)) // => 2"
    )
  })

  it("takes a value from the line below", () => {
    assert.strictEqual(instrument("f(\n  1\n)\n// => 2").code, ";await __check(4, (f(\n  1\n)), () => (2))\n// => 2")
  })

  it("checks what is logged", () => {
    assert.strictEqual(instrument("console.log(x) // => 2").code, ";await __check(1, (x), () => (2)) // => 2")
  })

  it("awaits at the top level and in async functions only", () => {
    const { code } = instrument(
      "function* g() {\n  yield* a // => 1\n}\nasync () => {\n  a // => 1\n  const h = () => {\n    b // => 2\n  }\n}"
    )
    assert.include(code, "  ;__check(2, (yield* a), () => (1))")
    assert.include(code, "  ;await __check(5, (a), () => (1))")
    assert.include(code, "    ;__check(7, (b), () => (2))")
  })

  it("reads a value that goes on in the comments below", () => {
    const { code, problems } = instrument("f() // => {\n//   a: 1\n// }\ng()")
    assert.deepStrictEqual(problems, [])
    assert.include(code, "() => ({ a: 1 })")
  })

  it("names what it cannot check, instead of passing it over", () => {
    const problems = (code: string) => instrument(code).problems.map(({ line }) => line)
    assert.deepStrictEqual(problems("// => 1"), [1])
    assert.deepStrictEqual(problems("f()\n\n// => 1"), [3])
    assert.deepStrictEqual(problems("f() // => some prose"), [1])
    assert.deepStrictEqual(problems("const { a } = f() // => 1"), [1])
    assert.deepStrictEqual(problems("const x = )"), [1])
    assert.deepStrictEqual(problems("f() // an ordinary comment"), [])
  })
})

import { assert, describe, it } from "vitest"
import { Ledger } from "./index.ts"

describe("Ledger", () => {
  it("tells what was lost, what is strange and what came twice", () => {
    const ledger = Ledger.make()
    for (const id of ["a", "b", "c"]) ledger.in(id)
    for (const id of ["a", "a", "a", "c", "x"]) ledger.out(id)
    const { text, ...balance } = ledger.balance()
    assert.deepStrictEqual(balance, { in: 3, out: 3, lost: ["b"], strange: ["x"], duplicates: 2 })
    assert.strictEqual(text, "3 in, 3 out, 1 lost, 2 duplicated")
  })
})

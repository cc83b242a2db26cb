import { describe, expect, it } from "vitest"
import { didYouMean, nearest } from "./nearest.ts"

describe("nearest", () => {
  const tasks = ["orders", "order-processor", "invoices"]

  it("finds the name that differs by a few letters, in any case", () => {
    expect(nearest("ordres", tasks)).toBe("orders")
    expect(nearest("INVOICE", tasks)).toBe("invoices")
    expect(nearest("order-procesor", tasks)).toBe("order-processor")
  })

  it("finds nothing when nothing is near", () => {
    expect(nearest("payments", tasks)).toBeUndefined()
    expect(nearest("orders", [])).toBeUndefined()
  })

  it("says what was meant, or nothing", () => {
    expect(didYouMean("ordrs", tasks)).toBe(" Did you mean \"orders\"?")
    expect(didYouMean("x-y-z", tasks)).toBe("")
  })
})

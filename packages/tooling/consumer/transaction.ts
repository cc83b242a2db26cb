import { Transaction } from "@ergon/core"
import * as Module from "@ergon/core/Transaction"
import assert from "node:assert/strict"

const transaction: Transaction.Transaction<{ readonly quantity: number }> = Transaction.make("order-1", { quantity: 2 })

assert.equal(transaction.payload.quantity, 2)
assert.equal(Module.make, Transaction.make, "the barrel and the deep import are one module")

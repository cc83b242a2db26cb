import { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import { make } from "./queueStatements.ts"

const open = () => {
  const { create, enqueue, takeBack, ...statements } = make("items")
  const database = new DatabaseSync(":memory:")
  for (const text of create) database.exec(text)
  return { database, statements: { ...statements, enqueue: enqueue(2), takeBack: takeBack(2) } }
}

describe("every statement", () => {
  const { database, statements } = open()
  // A statement that goes over the table, or sorts, takes longer the more there is: with 10,000 waiting, all the time.
  it.each(Object.entries(statements))("%s goes by an index", (_, text) => {
    const parameters = Array.from({ length: text.split("?").length - 1 }, () => null)
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...parameters).map(({ detail }) => String(detail))
    assert.isNotEmpty(plan)
    const slow = plan.filter((step) =>
      (/^SCAN (items|q|m|e|b)\b/.test(step) && !/USING (COVERING )?INDEX/.test(step)) || step.includes("TEMP B-TREE")
    )
    assert.deepStrictEqual(slow, [])
  })
})

import { assert, describe, it } from "@effect/vitest"
import { SqlError, UnknownError } from "../effectSql.ts"
import { reasonOf } from "./reason.ts"

const of = (errcode: number | undefined) => {
  const cause = Object.assign(new Error("as SQLite says it"), errcode === undefined ? {} : { errcode })
  return reasonOf(new SqlError({ reason: new UnknownError({ cause, message: cause.message, operation: "execute" }) }))
}

describe("the reason of an error", () => {
  it.each([
    ["SQLITE_BUSY", 5, "Timeout"],
    ["SQLITE_BUSY_SNAPSHOT", 517, "Timeout"],
    ["SQLITE_LOCKED", 6, "Timeout"],
    ["SQLITE_PROTOCOL", 15, "Timeout"],
    ["SQLITE_IOERR_WRITE", 778, "ConnectionLost"],
    ["SQLITE_FULL", 13, "Throttled"],
    ["SQLITE_CANTOPEN", 14, "ConnectionLost"],
    ["SQLITE_READONLY", 8, "Unauthorized"],
    ["SQLITE_PERM", 3, "Unauthorized"],
    ["SQLITE_CORRUPT", 11, "InvalidRequest"],
    ["SQLITE_NOTADB", 26, "InvalidRequest"],
    ["SQLITE_TOOBIG", 18, "InvalidRequest"],
    ["SQLITE_CONSTRAINT_CHECK", 275, "InvalidRequest"],
    ["SQLITE_MISMATCH", 20, "InvalidRequest"],
    ["SQLITE_ERROR", 1, "Unknown"],
    ["no code", undefined, "Unknown"]
  ])("%s", (_, errcode, tag) => {
    const reason = of(errcode)
    assert.strictEqual(reason._tag, tag)
    assert.strictEqual(reason.isRetryable, ["Timeout", "ConnectionLost", "Throttled"].includes(tag))
    assert.include(reason.message, "as SQLite says it")
  })
})

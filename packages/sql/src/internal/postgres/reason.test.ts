import { assert, describe, it } from "@effect/vitest"
import { ConnectionError, SqlError, StatementTimeoutError, UnknownError } from "../effectSql.ts"
import { reasonOf } from "./reason.ts"

const said = (code: string | undefined) => {
  const cause = Object.assign(new Error("as the server says it"), code === undefined ? {} : { code })
  return reasonOf(new SqlError({ reason: new UnknownError({ cause, message: "it failed", operation: "query" }) }))
}

describe("the reason of an error", () => {
  it.each(
    [
      ["the disk is full", "53100", "Throttled"],
      ["no memory", "53200", "Throttled"],
      ["too many connections", "53300", "Throttled"],
      ["terminated by an administrator", "57P01", "ConnectionLost"],
      ["starting up", "57P03", "ConnectionLost"],
      ["a broken connection", "08006", "ConnectionLost"],
      ["a disk that fails", "58030", "ConnectionLost"],
      ["a standby", "25006", "ConnectionLost"],
      ["a deadlock", "40P01", "Timeout"],
      ["a serialization failure", "40001", "Timeout"],
      ["a lock that is not available", "55P03", "Timeout"],
      ["cancelled", "57014", "Timeout"],
      ["a wrong password", "28P01", "Unauthorized"],
      ["a privilege that is missing", "42501", "Unauthorized"],
      ["no such database", "3D000", "NotFound"],
      ["no such table", "42P01", "NotFound"],
      ["a unique violation", "23505", "InvalidRequest"],
      ["a value out of range", "22003", "InvalidRequest"],
      ["a syntax error", "42601", "InvalidRequest"],
      ["an internal error", "XX000", "Unknown"],
      ["no code", undefined, "Unknown"]
    ] as const
  )("%s", (_, code, tag) => {
    const reason = said(code)
    assert.strictEqual(reason._tag, tag)
    assert.strictEqual(reason.isRetryable, ["Timeout", "ConnectionLost", "Throttled"].includes(tag))
    assert.include(reason.message, "as the server says it")
  })

  it("of a client that has no answer, or no connection, can pass", () => {
    const props = { cause: new Error("ECONNRESET"), message: "it failed", operation: "query" }
    assert.strictEqual(reasonOf(new SqlError({ reason: new ConnectionError(props) }))._tag, "ConnectionLost")
    assert.strictEqual(reasonOf(new SqlError({ reason: new StatementTimeoutError(props) }))._tag, "Timeout")
  })
})

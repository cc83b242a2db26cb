import { assert, describe, it } from "@effect/vitest"
import { reasonOf } from "./reason.ts"
import { sqlError } from "./sqlError.ts"

const told = (errno: number, code: string) =>
  reasonOf(sqlError(Object.assign(new Error("what the server says"), { errno, code }), "execute"))

describe("the reasons of errors", () => {
  it.each(
    [
      [1213, "ER_LOCK_DEADLOCK", "Timeout", true],
      [1205, "ER_LOCK_WAIT_TIMEOUT", "Timeout", true],
      [3024, "ER_QUERY_TIMEOUT", "Timeout", true],
      [1040, "ER_CON_COUNT_ERROR", "ConnectionLost", true],
      [1053, "ER_SERVER_SHUTDOWN", "ConnectionLost", true],
      [1927, "ER_CONNECTION_KILLED", "ConnectionLost", true],
      [0, "ECONNREFUSED", "ConnectionLost", true],
      [0, "PROTOCOL_CONNECTION_LOST", "ConnectionLost", true],
      [1021, "ER_DISK_FULL", "Throttled", true],
      [1114, "ER_RECORD_FILE_FULL", "Throttled", true],
      [1461, "ER_MAX_PREPARED_STMT_COUNT_REACHED", "Throttled", true],
      [1045, "ER_ACCESS_DENIED_ERROR", "Unauthorized", false],
      [4151, "ER_ACCOUNT_HAS_BEEN_LOCKED", "Unauthorized", false],
      [1142, "ER_TABLEACCESS_DENIED_ERROR", "Unauthorized", false],
      [0, "DEPTH_ZERO_SELF_SIGNED_CERT", "Unauthorized", false],
      [0, "ERR_TLS_CERT_ALTNAME_INVALID", "Unauthorized", false],
      [1146, "ER_NO_SUCH_TABLE", "NotFound", false],
      [1406, "ER_DATA_TOO_LONG", "InvalidRequest", false],
      [1062, "ER_DUP_ENTRY", "InvalidRequest", false],
      [1064, "ER_PARSE_ERROR", "InvalidRequest", false],
      [1153, "ER_NET_PACKET_TOO_LARGE", "InvalidRequest", false],
      [1234, "ER_WHATEVER", "Unknown", false]
    ] as const
  )("%i %s is %s", (errno, code, reason, isRetryable) => {
    const found = told(errno, code)
    assert.deepStrictEqual([found._tag, found.isRetryable], [reason, isRetryable])
    assert.include(found.message, "what the server says")
    assert.isDefined(found.cause)
  })
})

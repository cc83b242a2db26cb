import { assert, describe, it } from "@effect/vitest"
import { reasonOf } from "./reason.ts"

describe("the reason of an error", () => {
  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", "Throttled"],
    ["MISCONF Errors writing to the AOF file: No space left on device", "Throttled"],
    ["BUSY Redis is busy running a script.", "Throttled"],
    ["NOREPLICAS Not enough good replicas to write.", "Throttled"],
    ["ERR max number of clients reached", "Throttled"],
    ["LOADING Redis is loading the dataset in memory", "ConnectionLost"],
    ["READONLY You can't write against a read only replica.", "ConnectionLost"],
    ["MASTERDOWN Link with MASTER is down", "ConnectionLost"],
    ["CLUSTERDOWN The cluster is down", "ConnectionLost"],
    ["MOVED 866 127.0.0.1:7001", "ConnectionLost"],
    ["UNBLOCKED the stream key no longer exists", "ConnectionLost"],
    ["WRONGPASS invalid username-password pair or user is disabled.", "Unauthorized"],
    ["NOAUTH Authentication required.", "Unauthorized"],
    ["NOPERM this user has no permissions to run the 'xadd' command", "Unauthorized"],
    ["ERR AUTH <password> called without any password configured for the default user.", "Unauthorized"],
    ["WRONGTYPE Operation against a key holding the wrong kind of value", "InvalidRequest"],
    ["ERR syntax error", "InvalidRequest"],
    ["NOGROUP No such key 'a' or consumer group 'b'", "NotFound"],
    ["STRANGE something new", "Unknown"],
    ["connect ECONNREFUSED 127.0.0.1:6379", "ConnectionLost"],
    ["Socket closed unexpectedly", "ConnectionLost"],
    ["", "ConnectionLost"]
  ])("%s", (message, tag) => {
    const reason = reasonOf(new Error(message))
    assert.strictEqual(reason._tag, tag)
    assert.strictEqual(reason.isRetryable, ["Throttled", "ConnectionLost"].includes(tag))
    assert.include(reason.message, message)
  })

  it("of a certificate that is not accepted does not pass by itself", () => {
    const error = Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" })
    assert.strictEqual(reasonOf(error)._tag, "InvalidRequest")
  })
})

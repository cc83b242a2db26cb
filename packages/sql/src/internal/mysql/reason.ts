/**
 * Why a statement failed, in the reasons that the engine knows.
 */
import { Reason } from "@ergon/core"
import type { SqlError } from "../effectSql.ts"
import { numberOf } from "./sqlError.ts"

// Of the server: the disk or the table is full, a storage engine's error of the system below it, too many prepared
// statements.
const full = new Set([1021, 1030, 1114, 1461, 3675])
const missing = new Set([1049, 1146])

export const reasonOf = (error: SqlError): Reason.Reason => {
  const { _tag, cause, message } = error.reason
  const fields = { message, cause }
  const number = numberOf(cause)
  if (full.has(number)) return new Reason.Throttled({ message: `the server has no room: ${message}`, cause })
  if (missing.has(number)) return new Reason.NotFound(fields)
  switch (_tag) {
    case "ConnectionError":
      return new Reason.ConnectionLost(fields)
    case "DeadlockError":
    case "SerializationError":
      return new Reason.Timeout({ message: `another transaction was in the way: ${message}`, cause })
    case "LockTimeoutError":
      return new Reason.Timeout({ message: `another transaction has kept a lock: ${message}`, cause })
    case "StatementTimeoutError":
      return new Reason.Timeout(fields)
    case "AuthenticationError":
    case "AuthorizationError":
      return new Reason.Unauthorized(fields)
    case "SqlSyntaxError":
    case "UniqueViolation":
    case "ConstraintError":
      return new Reason.InvalidRequest(fields)
    default:
      // A packet that is too large.
      return number === 1153 ? new Reason.InvalidRequest(fields) : new Reason.Unknown(fields)
  }
}

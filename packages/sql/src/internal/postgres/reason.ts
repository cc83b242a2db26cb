/**
 * Why a statement failed, in the reasons that the engine knows: by the server's SQLSTATE, else by what the client says.
 */
import { Reason } from "@ergon/core"
import type { SqlError } from "../effectSql.ts"

/** The five characters of a SQLSTATE; empty where the server said nothing. */
const stateOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string" &&
    /^[0-9A-Z]{5}$/.test(cause.code)
    ? cause.code
    : ""

/** Lost connections, full disks and deadlocks pass; a broken rule, a broken statement and a refused user do not. */
export const reasonOf = ({ reason: { _tag, cause, message: said } }: SqlError): Reason.Reason => {
  const state = stateOf(cause)
  // The client says that a statement failed; what lies below says why.
  const message = cause instanceof Error && cause.message !== "" ? cause.message : said
  switch (state) {
    case "53100":
      return new Reason.Throttled({ message: `the server's disk is full: ${message}`, cause })
    case "53300":
      return new Reason.Throttled({ message: `the server takes no more connections: ${message}`, cause })
    case "57P01":
    case "57P02":
    case "57P03":
    case "57P05":
      return new Reason.ConnectionLost({ message, cause })
    case "25006":
      return new Reason.ConnectionLost({ message: `the server is read-only, as a standby is: ${message}`, cause })
    case "40P01":
    case "40001":
      return new Reason.Timeout({ message: `it gave way to another transaction: ${message}`, cause })
    case "55P03":
    case "57014":
      return new Reason.Timeout({ message, cause })
    case "42501":
      return new Reason.Unauthorized({ message, cause })
    case "3D000":
    case "42P01":
      return new Reason.NotFound({ message, cause })
  }
  switch (state.slice(0, 2)) {
    case "08":
      return new Reason.ConnectionLost({ message, cause })
    case "28":
      return new Reason.Unauthorized({ message, cause })
    case "53":
      return new Reason.Throttled({ message: `the server is short of resources: ${message}`, cause })
    case "58":
      return new Reason.ConnectionLost({ message: `the server's disk failed: ${message}`, cause })
    case "22":
    case "23":
    case "42":
      return new Reason.InvalidRequest({ message, cause })
  }
  switch (_tag) {
    case "ConnectionError":
      return new Reason.ConnectionLost({ message, cause })
    case "AuthenticationError":
    case "AuthorizationError":
      return new Reason.Unauthorized({ message, cause })
    case "StatementTimeoutError":
    case "LockTimeoutError":
    case "DeadlockError":
    case "SerializationError":
      return new Reason.Timeout({ message, cause })
    default:
      return new Reason.Unknown({ message, cause })
  }
}

/**
 * Why a command failed, in the reasons that the engine knows.
 *
 * An error that Redis answers with begins with a code in capitals; anything else comes from the socket.
 */
import { Reason } from "@ergon/core"

const codeOf = (message: string): string | undefined => /^([A-Z][A-Z0-9]*)(?: |$)/.exec(message)?.[1]

const systemCode = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : ""

/** The code that Redis answered with; `undefined` when it did not answer. */
export const replyCode = (error: unknown): string | undefined =>
  error instanceof Error ? codeOf(error.message) : undefined

/** Servers that start, fail over or are full pass; refused credentials and broken requests do not. */
export const reasonOf = (error: unknown): Reason.Reason => {
  const told = error instanceof Error ? error.message : String(error)
  // As the client says it of a connection that we have ended.
  const message = told === "Disconnects client" ? "the connection was given up" : told
  const given = { message, cause: error }
  switch (codeOf(message)) {
    case undefined:
      return /CERT|^ERR_(TLS|SSL)|^UNABLE_TO/.test(systemCode(error))
        ? new Reason.InvalidRequest({ message: `the server's certificate is not accepted: ${message}`, cause: error })
        : new Reason.ConnectionLost({ message: message === "" ? systemCode(error) : message, cause: error })
    case "LOADING":
    case "READONLY":
    case "MASTERDOWN":
    case "CLUSTERDOWN":
    case "TRYAGAIN":
    case "MOVED":
    case "ASK":
    case "UNBLOCKED":
      return new Reason.ConnectionLost(given)
    case "OOM":
      return new Reason.Throttled({ message: `the server has no memory left: ${message}`, cause: error })
    case "MISCONF":
      return new Reason.Throttled({ message: `the server cannot write to its disk: ${message}`, cause: error })
    case "BUSY":
    case "NOREPLICAS":
      return new Reason.Throttled(given)
    case "WRONGPASS":
    case "NOAUTH":
    case "NOPERM":
      return new Reason.Unauthorized(given)
    case "NOGROUP":
      return new Reason.NotFound(given)
    case "WRONGTYPE":
    case "NOPROTO":
      return new Reason.InvalidRequest(given)
    case "ERR":
      if (/max number of clients/.test(message)) return new Reason.Throttled(given)
      return /AUTH|invalid password/i.test(message)
        ? new Reason.Unauthorized(given)
        : new Reason.InvalidRequest(given)
    default:
      return new Reason.Unknown(given)
  }
}

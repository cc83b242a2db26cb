/**
 * Why RabbitMQ, its client or the network refused, as a `Reason`: the one place where that is decided.
 */
import * as Reason from "@ergon/core/Reason"

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : ""

/** The library names the method that was refused, and `undefined` where there was none. */
const textOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^undefined: /, "")

/** A certificate that is not trusted, or no TLS at the other end: it does not pass by itself. */
const isTls = (code: string): boolean => /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO_|EPROTO)/.test(code)

/** `what` was tried when the error came. */
export const reasonOf = (what: string, error: unknown): Reason.Reason => {
  const code = codeOf(error)
  const message = `${what}: ${textOf(error)}`
  const cause = error
  switch (code) {
    case "ACCESS_REFUSED":
      return new Reason.Unauthorized({ message, cause })
    case "NOT_FOUND":
      return new Reason.NotFound({ message, cause })
    case "NOT_ALLOWED":
      // A vhost that is not there is refused so, as is one that the user may not enter.
      return new Reason.Unauthorized({ message, cause })
    case "PRECONDITION_FAILED":
      // The broker has closed a channel on which something was unacknowledged for longer than its consumer_timeout.
      return message.includes("delivery acknowledgement on channel")
        ? new Reason.ConnectionLost({ message, cause })
        : new Reason.InvalidRequest({ message, cause })
    case "CODEC":
    case "NOT_IMPLEMENTED":
    case "COMMAND_INVALID":
    case "VERSION_MISMATCH":
      return new Reason.InvalidRequest({ message, cause })
    case "NACK":
      return new Reason.Throttled({
        message: `${what}: the broker did not take it (a queue is full, or failed)`,
        cause
      })
    case "RESOURCE_LOCKED":
    case "RESOURCE_ERROR":
      return new Reason.Throttled({ message, cause })
    case "TIMEOUT":
      return new Reason.Timeout({ message, cause })
    case "":
      return new Reason.Unknown({ message, cause })
    default:
      return isTls(code)
        ? new Reason.Unauthorized({ message, cause })
        // Whatever else ends a connection or a channel: reset, refused, closed by the broker, a name not resolved.
        : new Reason.ConnectionLost({ message, cause })
  }
}

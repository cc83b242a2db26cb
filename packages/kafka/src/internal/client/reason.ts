/**
 * Why the client failed, in the reasons that the engine knows. Messages only: what hangs on an error of the client (its
 * options, its connections) stays there.
 */
import { Reason } from "@ergon/core"
import * as Predicate from "effect/Predicate"

interface Found {
  readonly messages: Array<string>
  readonly ids: Set<string>
  readonly codes: Set<string>
  canRetry: boolean | undefined
}

const longest = 400

const look = (error: unknown, found: Found, depth: number): void => {
  if (depth > 8 || typeof error !== "object" || error === null) return
  if (Predicate.hasProperty(error, "message") && typeof error.message === "string" && error.message !== "") {
    if (!found.messages.includes(error.message)) found.messages.push(error.message)
  }
  if (Predicate.hasProperty(error, "apiId") && typeof error.apiId === "string") found.ids.add(error.apiId)
  if (Predicate.hasProperty(error, "code") && typeof error.code === "string") found.codes.add(error.code)
  // A chain is worth another try when nothing in it says no.
  if (Predicate.hasProperty(error, "canRetry") && typeof error.canRetry === "boolean") {
    found.canRetry = found.canRetry !== false && error.canRetry
  }
  if (Predicate.hasProperty(error, "errors") && Array.isArray(error.errors)) {
    for (const inner of error.errors) look(inner, found, depth + 1)
  }
  if (Predicate.hasProperty(error, "cause")) look(error.cause, found, depth + 1)
}

/** The codes of the protocol in an error: `UNKNOWN_MEMBER_ID` say. */
export const idsOf = (error: unknown): ReadonlySet<string> => lookAt(error).ids

const lookAt = (error: unknown): Found => {
  const found: Found = { messages: [], ids: new Set(), codes: new Set(), canRetry: undefined }
  look(error, found, 0)
  return found
}

const hasAny = (set: ReadonlySet<string>, ...names: ReadonlyArray<string>): boolean =>
  names.some((name) => set.has(name))

/** A certificate that does not pass by itself. */
const untrusted: ReadonlyArray<string> = [
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "ERR_TLS_CERT_ALTNAME_INVALID"
]

export const reasonOf = (what: string, error: unknown): Reason.Reason => {
  const { canRetry, codes, ids, messages } = lookAt(error)
  const causes = messages.filter((text) => !/failed \d+ times\./.test(text))
  const said = [...ids, ...causes.length > 0 ? causes : messages].join(": ")
  const message = `${what}: ${said === "" ? "failed without saying why" : said.slice(0, longest)}`
  const has = (...names: ReadonlyArray<string>) => hasAny(ids, ...names)
  if (codes.has("PLT_KFK_AUTHENTICATION") || has("SASL_AUTHENTICATION_FAILED", "SECURITY_DISABLED")) {
    return new Reason.Unauthorized({ message })
  }
  if (hasAny(codes, ...untrusted)) return new Reason.Unauthorized({ message })
  if ([...ids].some((id) => id.endsWith("AUTHORIZATION_FAILED"))) return new Reason.Unauthorized({ message })
  if (has("ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "FENCED_INSTANCE_ID")) return new Reason.LeaseLost({ message })
  if (has("REBALANCE_IN_PROGRESS")) return new Reason.Timeout({ message })
  if (has("THROTTLING_QUOTA_EXCEEDED")) return new Reason.Throttled({ message })
  if (has("UNKNOWN_TOPIC_OR_PARTITION") || messages.some((text) => text.startsWith("Unknown topic"))) {
    return new Reason.NotFound({ message })
  }
  if (
    has(
      "MESSAGE_TOO_LARGE",
      "RECORD_LIST_TOO_LARGE",
      "INVALID_TOPIC_EXCEPTION",
      "INVALID_RECORD",
      "INVALID_TIMESTAMP",
      "POLICY_VIOLATION",
      "INVALID_GROUP_ID",
      "INVALID_SESSION_TIMEOUT",
      "INCONSISTENT_GROUP_PROTOCOL",
      "OFFSET_OUT_OF_RANGE"
    )
  ) return new Reason.InvalidRequest({ message })
  if (codes.has("PLT_KFK_UNSUPPORTED_API") || codes.has("PLT_KFK_UNSUPPORTED_COMPRESSION")) {
    return new Reason.Unsupported({ message })
  }
  if (messages.some((text) => text.includes("timed out"))) return new Reason.Timeout({ message })
  if (codes.has("PLT_KFK_NETWORK") || canRetry === true) return new Reason.ConnectionLost({ message })
  if (hasAny(codes, "ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOTFOUND", "ETIMEDOUT", "EAI_AGAIN")) {
    return new Reason.ConnectionLost({ message })
  }
  return new Reason.Unknown({ message })
}

/**
 * Why MariaDB or MySQL refused a statement, or why it could not be asked, in the reasons of effect's SQL client.
 */
import {
  AuthenticationError,
  AuthorizationError,
  ConnectionError,
  ConstraintError,
  DeadlockError,
  LockTimeoutError,
  SerializationError,
  SqlError,
  SqlSyntaxError,
  StatementTimeoutError,
  UniqueViolation,
  UnknownError
} from "../effectSql.ts"

const property = (error: unknown, name: string): unknown =>
  typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined

/** The server's number of an error; 0 for one that is not the server's. */
export const numberOf = (error: unknown): number => {
  const number = property(error, "errno")
  return typeof number === "number" && number > 0 ? number : 0
}

/** The client's and the system's name of an error. */
const codeOf = (error: unknown): string => {
  const code = property(error, "code")
  return typeof code === "string" ? code : ""
}

/** The server holds no transaction any more: it has rolled back all of it, not the statement alone. */
export const isRolledBack = ({ reason: { _tag } }: SqlError): boolean =>
  _tag === "DeadlockError" || _tag === "SerializationError"

/** The connection cannot be used any more. */
export const isFatal = (error: unknown): boolean =>
  property(error, "fatal") === true || lost.has(numberOf(error)) || numberOf(error) === 1153

// Too many connections, the server goes down, somebody has killed the connection, broken off reads and writes.
const lost = new Set([
  1040,
  1053,
  1079,
  1080,
  1081,
  1129,
  1152,
  1158,
  1159,
  1160,
  1161,
  1184,
  1203,
  1226,
  1927,
  2002,
  2003,
  2006,
  2013,
  3169,
  4031
])
const authentication = new Set([1045, 1130, 1251, 1275, 1524, 1698, 1820, 1862, 3118, 3879, 4151])
const authorization = new Set([1044, 1142, 1143, 1227, 1290, 1370, 1410, 1419, 1792, 1836])
const constraint = new Set([
  1048,
  1216,
  1217,
  1263,
  1264,
  1265,
  1292,
  1364,
  1366,
  1406,
  1451,
  1452,
  1690,
  3819,
  4025
])
const syntax = new Set([1049, 1054, 1064, 1103, 1109, 1146, 1149, 1210, 1305, 1327])
const late = new Set([1317, 1969, 3024])
const serialization = new Set([1020])

const network = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
  "EPIPE",
  "ETIMEDOUT",
  "PROTOCOL_CONNECTION_LOST",
  "PROTOCOL_ERROR",
  "PROTOCOL_PACKETS_OUT_OF_ORDER",
  "PROTOCOL_UNEXPECTED_PACKET"
])
// Of Node's TLS: whom we reach is not whom we trust.
const distrust = /^(HANDSHAKE_|ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/

/** The reason for what `mysql2` has failed with. */
export const sqlError = (cause: unknown, operation: string): SqlError => {
  const number = numberOf(cause)
  const code = codeOf(cause)
  const text = cause instanceof Error ? cause.message : String(cause)
  const fields = { cause, message: number > 0 ? `${text} (${code || "error"} ${number})` : text, operation }
  return new SqlError({ reason: reason() })

  function reason() {
    if (number === 1213) return new DeadlockError(fields)
    if (number === 1205 || number === 3572) return new LockTimeoutError(fields)
    if (number === 1062 || number === 1586) {
      return new UniqueViolation({ ...fields, constraint: /for key '([^']*)'/.exec(text)?.[1] ?? "" })
    }
    if (serialization.has(number)) return new SerializationError(fields)
    if (late.has(number)) return new StatementTimeoutError(fields)
    if (authentication.has(number) || distrust.test(code)) return new AuthenticationError(fields)
    if (authorization.has(number)) return new AuthorizationError(fields)
    if (constraint.has(number)) return new ConstraintError(fields)
    if (syntax.has(number)) return new SqlSyntaxError(fields)
    if (lost.has(number) || network.has(code)) return new ConnectionError(fields)
    if (number === 0 && property(cause, "fatal") === true) return new ConnectionError(fields)
    return new UnknownError(fields)
  }
}

/** The connection is gone, or was given up. */
export const connectionError = (message: string, operation: string, cause: unknown = new Error(message)): SqlError =>
  new SqlError({ reason: new ConnectionError({ cause, message, operation }) })

/** The server did not answer in time; the connection was given up, and the statement may have taken effect. */
export const timeoutError = (message: string, operation: string): SqlError =>
  new SqlError({ reason: new StatementTimeoutError({ cause: new Error(message), message, operation }) })

/**
 * Why a statement failed, in the reasons that the engine knows.
 */
import { Reason } from "@ergon/core"
import type { SqlError } from "../effectSql.ts"
import { resultCode } from "./resultCode.ts"

/** Busy and locked, full and failing disks pass; a broken file, a broken rule or a broken statement does not. */
export const reasonOf = (error: SqlError): Reason.Reason => {
  const { cause, message } = error.reason
  switch (resultCode(cause) & 0xff) {
    case 5:
    case 6:
    case 15:
      return new Reason.Timeout({ message: `the database stayed locked by another process: ${message}`, cause })
    case 10:
      return new Reason.ConnectionLost({ message: `the disk failed: ${message}`, cause })
    case 13:
      return new Reason.Throttled({ message: `the disk is full: ${message}`, cause })
    case 14:
      return new Reason.ConnectionLost({ message: `the database file cannot be opened: ${message}`, cause })
    case 3:
    case 8:
    case 23:
      return new Reason.Unauthorized({ message, cause })
    case 11:
    case 26:
      return new Reason.InvalidRequest({ message: `the file is not a sound SQLite database: ${message}`, cause })
    case 18:
    case 19:
    case 20:
      return new Reason.InvalidRequest({ message, cause })
    default:
      return new Reason.Unknown({ message, cause })
  }
}

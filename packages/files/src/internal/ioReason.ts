/**
 * What a failed call to the file system means to the engine.
 *
 * A disk that is full, a quota, or a size limit can be lifted while a task runs, so these are `Throttled`: the engine
 * tries again until the transaction's deadline and then requeues it, where a reason that is not retryable would
 * dead-letter every transaction until somebody frees a few bytes. A device or a network file system that does not
 * answer is `ConnectionLost`, for the same reason.
 */
import * as Predicate from "effect/Predicate"
import {
  ConnectionLost,
  InvalidRequest,
  NotFound,
  type Reason,
  Throttled,
  Unauthorized,
  Unknown
} from "@ergon/core/Reason"

/** The code of a failed system call: `ENOENT`, say. */
export const codeOf = (error: unknown): string | undefined =>
  Predicate.hasProperty(error, "code") && typeof error.code === "string" ? error.code : undefined

const textOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** The reason of a failed operation; `what` says what was tried, with the path, as the start of a sentence. */
export const ioReason = (what: string, error: unknown): Reason => {
  const code = codeOf(error)
  switch (code) {
    case "ENOSPC":
      return new Throttled({ message: `${what}: the disk is full (ENOSPC)`, cause: error })
    case "EDQUOT":
      return new Throttled({ message: `${what}: the disk quota is used up (EDQUOT)`, cause: error })
    case "EFBIG":
      return new Throttled({ message: `${what}: the file may not become larger (EFBIG)`, cause: error })
    case "EMFILE":
    case "ENFILE":
      return new Throttled({ message: `${what}: too many files are open (${code})`, cause: error })
    case "EAGAIN":
    case "EBUSY":
      return new Throttled({ message: `${what}: the file is busy (${code})`, cause: error })
    case "EIO":
    case "ENXIO":
    case "ESTALE":
    case "ETIMEDOUT":
    case "EHOSTDOWN":
    case "ENOTCONN":
      return new ConnectionLost({ message: `${what}: the device does not answer (${code})`, cause: error })
    case "ENOENT":
      return new NotFound({ message: `${what}: it does not exist (ENOENT)`, cause: error })
    case "EACCES":
    case "EPERM":
      return new Unauthorized({ message: `${what}: not permitted (${code})`, cause: error })
    case "EROFS":
      return new Unauthorized({ message: `${what}: the file system is read-only (EROFS)`, cause: error })
    case "EISDIR":
    case "ENOTDIR":
    case "ENAMETOOLONG":
    case "EXDEV":
      return new InvalidRequest({ message: `${what}: ${textOf(error)}`, cause: error })
    default:
      return new Unknown({ message: `${what}: ${textOf(error)}`, cause: error })
  }
}

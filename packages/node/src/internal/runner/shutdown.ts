/**
 * The end of the process, as its parts see it: whether it has begun, and a way to ask for it.
 *
 *     running -> requested      the first signal, or the first `drain`; there is no way back
 *
 * The first request decides the exit code. What follows a request is the runner's: see `ErgonRuntime`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** What was asked for first: the code to exit with, why, and whether it was a signal that asked. */
export interface Request {
  readonly code: number
  readonly why: string
  readonly signal: boolean
}

/**
 * Given to everything below `ErgonRuntime.runMain`.
 *
 * - `requested`: whether the process is ending. True from the first signal on, and from the first `drain`.
 * - `subscribe`: calls `listener` once, synchronously, when that becomes so, or at once when it is so already. What it
 *   answers with takes the listener away.
 * - `drain`: drains as a first signal does, and the process exits with `code`. Does nothing after another request.
 */
export class Shutdown extends Context.Service<Shutdown, {
  readonly requested: Effect.Effect<boolean>
  readonly subscribe: (listener: () => void) => () => void
  readonly drain: (code: number, why: string) => Effect.Effect<void>
}>()("@ergon/node/Shutdown") {}

/** The side of the runner. `request` answers whether it was the first; `begun` is called with the first one. */
export interface Requests {
  readonly service: Shutdown["Service"]
  readonly first: () => Request | undefined
  readonly request: (request: Request) => boolean
}

export const make = (begun: (request: Request) => void): Requests => {
  let first: Request | undefined
  const listeners = new Set<() => void>()
  const request = (asked: Request): boolean => {
    if (first !== undefined) return false
    first = asked
    const told = [...listeners]
    listeners.clear()
    for (const listener of told) listener()
    begun(asked)
    return true
  }
  return {
    request,
    first: () => first,
    service: {
      requested: Effect.sync(() => first !== undefined),
      subscribe: (listener) => {
        if (first !== undefined) {
          listener()
          return () => {}
        }
        // A function of its own: the same listener may be given twice.
        const own = () => listener()
        listeners.add(own)
        return () => void listeners.delete(own)
      },
      drain: (code, why) => Effect.sync(() => void request({ code, why, signal: false }))
    }
  }
}

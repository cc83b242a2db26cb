/**
 * A server that a test starts for itself, on a port and a folder of its own, and does to it what it likes.
 *
 * States: `start` (of a stopped one) -> running -> `stop`, `kill` -> stopped; running -> `freeze` -> frozen -> `thaw` ->
 * running. It keeps its port and its folder over all of them. With its scope it is killed and its folder removed.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Port from "./Port.ts"
import * as Program from "./Program.ts"

/**
 * It did not start, or not in time.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotStarted extends Data.TaggedError("NotStarted")<{ readonly message: string }> {}

/**
 * A server of a test's own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Server {
  readonly port: number
  /** Its data and its logs. */
  readonly folder: string
  /** Starts a stopped one on its data, and answers once it serves: at most a minute. */
  readonly start: Effect.Effect<void, NotStarted>
  /** Ends it in its own orderly way: at most 30 s, then it is killed. */
  readonly stop: Effect.Effect<void>
  /** SIGKILL: as a power cut, as far as processes can tell. */
  readonly kill: Effect.Effect<void>
  /** SIGSTOP: connections stay open, nothing is answered. */
  readonly freeze: Effect.Effect<void>
  /** SIGCONT. */
  readonly thaw: Effect.Effect<void>
  /** The end of what it wrote. */
  readonly log: Effect.Effect<string>
}

/**
 * How a kind of server is started.
 *
 * - `prepare`: once, before the first start: makes its data.
 * - `command`: what runs in the foreground.
 * - `ready`: fails until it serves.
 * - `end`: the signal of its orderly stop, SIGTERM unless given.
 * - `user`: runs as this one when the test runs as root.
 * - `release`: at the very end, for what the group does not hold.
 *
 * @category models
 * @since 0.1.0
 */
export interface Kind {
  readonly name: string
  readonly prepare?: (at: Place) => Effect.Effect<void, Program.Ended>
  readonly command: (at: Place) => Program.Command
  readonly ready?: (at: Place, program: Program.Program) => Effect.Effect<void, unknown>
  readonly end?: NodeJS.Signals
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  readonly release?: (at: Place) => Effect.Effect<void, unknown>
  /** A folder that is there already, such as a small file system. */
  readonly folder?: string | undefined
}

/**
 * Where a server runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Place {
  readonly port: number
  readonly folder: string
}

const often = Schedule.spaced("100 millis")

/**
 * Starts a server of this kind and answers once it serves.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (kind: Kind): Effect.Effect<Server, NotStarted, Scope.Scope> =>
  Effect.gen(function*() {
    const place = yield* Effect.acquireRelease(
      Effect.map(Port.free, (port): Place => {
        const folder = kind.folder ?? mkdtempSync(join(tmpdir(), `ergon-${kind.name}-`))
        mkdirSync(folder, { recursive: true })
        if (kind.user !== undefined && process.getuid?.() === 0) chownSync(folder, kind.user.uid, kind.user.gid)
        return { port, folder }
      }),
      ({ folder }) =>
        Effect.sync(() => {
          if (kind.folder === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
        })
    )
    const failed = (message: string) => new NotStarted({ message: `${kind.name} on port ${place.port}: ${message}` })
    if (kind.prepare !== undefined) {
      yield* Effect.mapError(kind.prepare(place), (error) => failed(error.message))
    }
    if (kind.release !== undefined) {
      const release = kind.release(place)
      yield* Effect.addFinalizer(() => Effect.ignore(release))
    }
    let current: { readonly program: Program.Program; readonly scope: Scope.Closeable } | undefined
    const close = Effect.suspend(() => {
      if (current === undefined) return Effect.void
      const { scope } = current
      current = undefined
      return Scope.close(scope, Exit.void)
    })
    yield* Effect.addFinalizer(() => close)
    const ready = kind.ready ?? ((at: Place) =>
      Effect.flatMap(Port.accepts(at.port), (yes) => yes ? Effect.void : Effect.fail("it does not listen")))
    const start = Effect.gen(function*() {
      if (current !== undefined) return
      const scope = yield* Scope.make()
      const program = yield* Scope.provide(Program.start({ ...kind.user, ...kind.command(place) }), scope)
      current = { program, scope }
      const serves = Effect.retry(ready(place, program), often)
      const ended = Effect.flatMap(program.ended, () => Effect.flatMap(program.log, (log) => Effect.fail(failed(log))))
      yield* Effect.raceFirst(Effect.timeout(Effect.ignore(serves), "60 seconds"), ended).pipe(
        Effect.catch((error) =>
          error._tag === "NotStarted"
            ? Effect.fail(error)
            : Effect.flatMap(program.log, (log) => Effect.fail(failed(`it did not serve within 60 s:\n${log}`)))
        )
      )
    })
    const to = (act: (program: Program.Program) => Effect.Effect<unknown>) =>
      Effect.suspend(() => current === undefined ? Effect.void : Effect.asVoid(act(current.program)))
    const server: Server = {
      port: place.port,
      folder: place.folder,
      start,
      stop: Effect.andThen(
        to((program) =>
          Effect.andThen(
            program.signal(kind.end ?? "SIGTERM"),
            Effect.timeoutOption(program.ended, "30 seconds")
          )
        ),
        close
      ),
      kill: close,
      freeze: to((program) => program.freeze),
      thaw: to((program) => program.thaw),
      log: Effect.suspend(() => current === undefined ? Effect.succeed("") : current.program.log)
    }
    yield* server.start
    return server
  })

/**
 * A program in a process of its own: started, listened to, killed, frozen.
 *
 * It leads a process group, so that what it starts ends with it. It ends with its scope at the latest.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"

/**
 * It ended before it said what was waited for.
 *
 * @category errors
 * @since 0.1.0
 */
export class Ended extends Data.TaggedError("Ended")<{ readonly message: string }> {}

/**
 * How a process ended: its code, or the signal that ended it.
 *
 * @category models
 * @since 0.1.0
 */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * A running program.
 *
 * @category models
 * @since 0.1.0
 */
export interface Program {
  readonly pid: number
  /** The complete lines of its output so far; a line that a kill has cut was not said. */
  readonly lines: ReadonlyArray<string>
  /** The end of what it wrote to both streams, at most 64 KiB. */
  readonly log: Effect.Effect<string>
  /** The first line for which this holds, also one said before. */
  readonly says: (test: (line: string) => boolean) => Effect.Effect<string, Ended>
  /** Writes a line to its input. */
  readonly tell: (line: string) => Effect.Effect<void>
  /** Sends a signal to its group. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** SIGKILL, and its end. */
  readonly kill: Effect.Effect<End>
  /** SIGSTOP: it stays connected and answers nothing. */
  readonly freeze: Effect.Effect<void>
  /** SIGCONT. */
  readonly thaw: Effect.Effect<void>
  /** Once it has ended and its output is read. */
  readonly ended: Effect.Effect<End>
}

/**
 * What to start. `uid` and `gid` are those of the process, when this one may set them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd?: string | undefined
  readonly env?: { readonly [name: string]: string | undefined } | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

const kept = 65_536

const watch = (child: ChildProcess, name: string): Program => {
  const lines: Array<string> = []
  const waiting = new Set<() => void>()
  let partial = ""
  let log = ""
  let end: End | undefined
  const look = () => {
    for (const one of waiting) one()
  }
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-kept)
    const parts = (partial + text).split("\n")
    partial = parts.pop() ?? ""
    lines.push(...parts)
    look()
  })
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-kept)
  })
  child.stdin?.on("error", () => {})
  child.on("error", (error) => {
    log += `\n${error.message}`
    end = { code: 127, signal: null }
    look()
  })
  child.on("close", (code, signal) => {
    end = { code, signal }
    look()
  })
  const until = <A>(read: () => A | undefined) =>
    Effect.callback<A>((resume) => {
      const one = () => {
        const found = read()
        if (found === undefined) return
        waiting.delete(one)
        resume(Effect.succeed(found))
      }
      waiting.add(one)
      one()
      return Effect.sync(() => void waiting.delete(one))
    })
  const signal = (which: NodeJS.Signals) =>
    Effect.sync(() => {
      if (child.pid === undefined || end !== undefined) return
      try {
        process.kill(-child.pid, which)
      } catch {
        child.kill(which)
      }
    })
  const ended = until(() => end)
  return {
    pid: child.pid ?? -1,
    lines,
    log: Effect.sync(() => log),
    says: (test) =>
      Effect.flatMap(
        until(() => lines.find(test) ?? end),
        (found) =>
          typeof found === "string"
            ? Effect.succeed(found)
            : Effect.fail(
              new Ended({ message: `${name} ended (${found.signal ?? found.code}) before it said so:\n${log}` })
            )
      ),
    tell: (line) => Effect.sync(() => void child.stdin?.write(`${line}\n`)),
    signal,
    kill: Effect.andThen(signal("SIGKILL"), ended),
    freeze: signal("SIGSTOP"),
    thaw: signal("SIGCONT"),
    ended
  }
}

/**
 * Starts a program.
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (one: Command): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      watch(
        spawn(one.command, [...one.args], {
          cwd: one.cwd,
          env: { ...process.env, ...one.env },
          detached: true,
          stdio: ["pipe", "pipe", "pipe"],
          ...(process.getuid?.() === 0 && one.uid !== undefined ? { uid: one.uid, gid: one.gid } : undefined)
        }),
        one.command
      )
    ),
    (program) => program.kill
  )

/**
 * Starts a TypeScript file of this workspace on the Node that runs the test.
 *
 * @category constructors
 * @since 0.1.0
 */
export const script = (
  file: string,
  args: ReadonlyArray<string> = [],
  env?: { readonly [name: string]: string | undefined }
): Effect.Effect<Program, never, Scope.Scope> =>
  start({ command: process.execPath, args: ["--conditions=@ergon/source", file, ...args], env })

/**
 * Runs a program to its end and answers its output; fails when its code is not 0.
 *
 * @category constructors
 * @since 0.1.0
 */
export const run = (one: Command): Effect.Effect<string, Ended> =>
  Effect.scoped(Effect.gen(function*() {
    const program = yield* start(one)
    const { code, signal } = yield* program.ended
    const log = yield* program.log
    if (code === 0) return log
    return yield* new Ended({ message: `${one.command} ${one.args.join(" ")} ended with ${signal ?? code}:\n${log}` })
  }))

/**
 * Prints a line from inside of a program that may be killed. It is done once the line has left the process: a pipe that is
 * full takes nothing, and what a process still holds ends with it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const say = (line: string): Effect.Effect<void> =>
  Effect.callback<void>((resume) => void process.stdout.write(`${line}\n`, () => resume(Effect.void)))

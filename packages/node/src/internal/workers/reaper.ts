/**
 * Ends workers whose host is gone and whose event loop is blocked. A worker that is not blocked hears that its host is
 * gone and ends by itself; one that is hears nothing, and only another process or thread can end it.
 *
 * One small shell for all workers of a host, which is told of them through a pipe: it reads until the host closes the
 * pipe, in whatever way it ends. A thread in each worker would do the same for 13 MB each.
 *
 *     reading -> waiting -> over      the pipe ends; after `shutdown.close` what is left is killed
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"

export interface Reaper {
  readonly add: (pid: number) => void
  readonly remove: (pid: number) => void
}

// The number of a process may be in use again: where it can be seen, it has to be a worker.
const script = `
trap '' INT TERM HUP
pids=
while read -r sign pid; do
  rest=
  for one in $pids; do [ "$one" = "$pid" ] || rest="$rest $one"; done
  pids=$rest
  [ "$sign" = "-" ] || pids="$pids $pid"
done
[ -n "$pids" ] || exit 0
sleep "$1"
for one in $pids; do
  if [ ! -r /proc/self/cmdline ] || grep -q -e --ergon-worker= "/proc/$one/cmdline" 2>/dev/null; then
    kill -9 "-$one" 2>/dev/null || kill -9 "$one" 2>/dev/null
  fi
done
`

const none: Reaper = { add: constVoid, remove: constVoid }

/** Without a shell there is none, and a log entry says what that means. */
export const make = (close: Duration.Duration): Effect.Effect<Reaper, never, Scope.Scope> =>
  process.platform === "win32" ? Effect.succeed(none) : Effect.gen(function*() {
    const runFork = Effect.runForkWith(yield* Effect.context<never>())
    const shell = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const seconds = String(Math.ceil(Duration.toSeconds(close)))
        const child = spawn("/bin/sh", ["-c", script, "ergon-reaper", seconds], {
          detached: true,
          env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
          stdio: ["pipe", "ignore", "ignore"]
        })
        child.once("error", (error) =>
          void runFork(
            Effect.logWarning("no shell to end workers that are blocked when their host is killed", error)
          ))
        child.stdin.on("error", constVoid)
        child.unref()
        return child
      }),
      (child) => Effect.sync(() => child.stdin.end())
    )
    return {
      add: (pid) => void shell.stdin.write(`+ ${pid}\n`),
      remove: (pid) => void shell.stdin.write(`- ${pid}\n`)
    }
  })

/** Processes that a test starts and kills. */
import { Data, Effect } from "effect"
import * as child from "node:child_process"
import * as path from "node:path"

const script = path.join(import.meta.dirname, "worker.ts")

class Ended extends Data.TaggedError("Ended")<{ readonly message: string }> {}

export interface Worker {
  /** What it has said so far. */
  readonly lines: ReadonlyArray<string>
  /** Once it has said this. Fails when it ends before. */
  readonly said: (line: string) => Effect.Effect<void, Ended>
  /** Once its output is read to the end. */
  readonly ended: Effect.Effect<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  readonly kill: Effect.Effect<void>
}

/** Ends with the scope at the latest. */
export const start = (role: string, folder: string, ...numbers: ReadonlyArray<number>) =>
  Effect.acquireRelease(
    Effect.sync((): Worker => {
      const worker = child.spawn(
        process.execPath,
        ["--conditions=@ergon/source", script, role, folder, ...numbers.map(String)],
        { stdio: ["ignore", "pipe", "pipe"] }
      )
      const lines: Array<string> = []
      const waiting = new Set<() => void>()
      let partial = ""
      let errors = ""
      worker.stdout.setEncoding("utf8").on("data", (text: string) => {
        const parts = (partial + text).split("\n")
        // A line that a kill has cut was not said.
        partial = parts.pop() ?? ""
        lines.push(...parts)
        for (const look of waiting) look()
      })
      worker.stderr.setEncoding("utf8").on("data", (text: string) => errors += text)
      let end: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined
      worker.on("close", (code, signal) => {
        end = { code, signal }
        for (const look of waiting) look()
      })
      const until = <A>(read: () => A | undefined) =>
        Effect.callback<A>((resume) => {
          const look = () => {
            const found = read()
            if (found === undefined) return
            waiting.delete(look)
            resume(Effect.succeed(found))
          }
          waiting.add(look)
          look()
          return Effect.sync(() => void waiting.delete(look))
        })
      return {
        lines,
        said: (line) =>
          Effect.flatMap(until(() => lines.includes(line) ? true : end === undefined ? undefined : false), (said) =>
            said
              ? Effect.void
              : Effect.fail(new Ended({ message: `${role} ended before it said "${line}": ${errors}` }))),
        ended: until(() => end),
        kill: Effect.sync(() => void worker.kill("SIGKILL"))
      }
    }),
    (worker) => Effect.andThen(worker.kill, worker.ended)
  )

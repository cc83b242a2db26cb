/**
 * Progress of everything that runs: live lines on a terminal; in a pipe, in a file and in CI a log line every 10 seconds.
 */
import { Runs } from "@ergon/node/Runs"
import type { Context } from "effect/Context"
import * as Effect from "effect/Effect"
import { line } from "./line.ts"
import type { Moment } from "./measure.ts"
import * as Terminal from "./terminal.ts"
import * as Watch from "./watch.ts"

/** Milliseconds between two drawings. */
const drawing = 250

/** Seconds between two log lines. */
const every = 10

type Environment = { readonly [name: string]: string | undefined }

const isSet = (value: string | undefined): boolean => value !== undefined && value !== ""

/** Whether lines can be drawn again and again. */
export const isLive = (isTerminal: boolean, environment: Environment): boolean =>
  isTerminal && environment["TERM"] !== "dumb" && !isSet(environment["CI"])

/** Draws until it is closed. */
const live = (runs: Runs["Service"]): () => void => {
  const terminal = Terminal.make(process.stderr, process.stdout.isTTY ? [process.stdout] : [])
  const watch = Watch.make(runs)
  const colours = !isSet(process.env["NO_COLOR"])
  const draw = (): void => {
    const { columns, rows } = terminal.size()
    const moments = watch.moments().filter(({ phase }) => phase !== "ended")
    const lines = moments.map((moment) => line(moment, columns - 1, colours))
    terminal.draw(lines.length < rows ? lines : [...lines.slice(0, rows - 2), `and ${lines.length - rows + 2} more`])
  }
  const timer = setInterval(draw, drawing)
  // The terminal has shown ^C behind the line.
  const onSignal = (): void => void setImmediate(draw)
  process.on("SIGINT", onSignal)
  return () => {
    clearInterval(timer)
    process.off("SIGINT", onSignal)
    watch.close()
    terminal.close()
  }
}

/** Logs until it is closed. */
const logged = (runs: Runs["Service"], context: Context<never>): () => void => {
  const watch = Watch.make(runs)
  let seconds = 0
  const log = (moment: Moment): void => {
    if (moment.phase === "ended") return
    Effect.runForkWith(context)(
      Effect.annotateLogs(Effect.logInfo(line(moment, Infinity, false)), { task: moment.task })
    )
  }
  const timer = setInterval(() => {
    seconds = (seconds + 1) % every
    // A second before, the sources are asked what they hold.
    if (seconds === every - 1) watch.moments()
    else if (seconds === 0) watch.moments().forEach(log)
  }, 1000)
  return () => {
    clearInterval(timer)
    watch.close()
  }
}

/**
 * Shows the progress of all runs of the process while `work` runs, its drain included: the display is not part of what an
 * interruption ends.
 */
export const around = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Runs> =>
  Effect.acquireUseRelease(
    Effect.gen(function*() {
      const runs = yield* Runs
      const context = yield* Effect.context<never>()
      return isLive(process.stderr.isTTY, process.env) ? live(runs) : logged(runs, context)
    }),
    () => work,
    (close) => Effect.sync(close)
  )

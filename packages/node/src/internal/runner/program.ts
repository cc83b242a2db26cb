/**
 * The main program of a process, from its first effect to its exit.
 *
 *     running -> draining -> stopping -> exiting
 *        |          |           |
 *        +----------+-----------+--> ended -> exiting
 *
 * draining: the first signal, or a part that asked for it: the main fiber is interrupted, and every run in it drains
 * stopping: the second signal: what runs is interrupted and released
 * ended:    the main fiber has ended, and what was written is still being flushed
 * exiting:  the third signal, the end of the time for closing (see bound.ts), or all is flushed
 */
import type { Summary } from "@ergon/core/Outcome"
import { Observer, type Run } from "@ergon/core/Run"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Runs from "../../Runs.ts"
import * as Bound from "./bound.ts"
import * as Closing from "./closing.ts"
import { codes, exitCode, forcedCode } from "./exitCode.ts"
import * as Lines from "./lines.ts"
import * as Output from "./output.ts"
import { type PartOptions, parts } from "./parts.ts"
import * as Reports from "./reports.ts"
import * as Shutdown from "./shutdown.ts"
import * as Signals from "./signals.ts"

export interface Options extends PartOptions {
  readonly summary?: boolean | undefined
  readonly onSignal?: ((signal: Signals.Signal) => void) | undefined
}

// How long the end waits for whoever reads what was written, once the process was told to end; in milliseconds.
const flushing = 1000

type Main = Fiber.Fiber<unknown, unknown>

const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Cause.hasInterruptsOnly(cause) || !Runtime.getErrorReported(Cause.squash(cause))
    ? Effect.void
    : Effect.logError(cause)

export const run = <A, E>(effect: Effect.Effect<A, E, Runs.Runs>, options: Options): void => {
  const closing = Closing.make()
  let main: Main | undefined
  let runs: Runs.Runs["Service"] | undefined
  let reports: Reports.Reports | undefined
  // Whether the work of a run has begun, and so may have done something.
  let ran = false
  let ended = false

  const entries = (): ReadonlyArray<Runs.Entry> => runs === undefined ? [] : Effect.runSync(runs.all)
  const running = (): ReadonlyArray<Run> => entries().filter(({ phase }) => phase === "running").map(({ run }) => run)
  const log = (line: Effect.Effect<void>): void => Reports.log(reports, line)

  const end = (code: number, atMost: number | undefined): void => {
    ended = true
    bound.ended()
    Output.exit(code, atMost)
  }
  const bound = Bound.make({
    entries,
    closing: () => main === undefined ? [] : closing.exits(main),
    slow: (after, atMost) => log(Lines.slow(after, atMost)),
    force: (after, exits) => {
      const request = shutdown.first()
      const code = request === undefined ? forcedCode(exits, ran) : request.code
      reports?.rest()
      log(Lines.forced(after, code, request !== undefined))
      end(code, flushing)
    }
  })
  const shutdown = Shutdown.make(({ code, signal, why }) => {
    if (!signal) log(Lines.asked(why, code))
    bound.requested()
    main?.interruptUnsafe(main.id)
  })

  const signalled = (signal: Signals.Signal): void => {
    const { count, name } = signal
    const code = codes[name]
    if (!ended) {
      if (options.onSignal === undefined) log(Lines.signal(name, count, running()))
      else options.onSignal(signal)
    }
    if (ended || count > 2) return process.exit(shutdown.first()?.code ?? code)
    shutdown.request({ code, why: name, signal: true })
    if (count < 2) return
    bound.stopping()
    for (const { control } of running()) Effect.runFork(control.stop)
  }

  const observer = Effect.gen(function*() {
    runs = yield* Runs.Runs
    reports = Reports.make(yield* Observer, options.summary ?? true)
    const { finished, started, ...rest } = reports.observer
    runs.subscribe(bound.changed)
    bound.changed()
    return {
      ...rest,
      started: (run: Run) => {
        const context = Fiber.getCurrent()?.context
        const scope = context && Context.getOrUndefined(context, Scope.Scope)
        if (scope !== undefined) closing.around(scope)
        started(run)
      },
      finished: (run: Run, exit: Exit.Exit<Summary, unknown>) => {
        ran = true
        finished(run, exit)
      }
    }
  })
  const program = parts(options).reduceRight<Effect.Effect<unknown, unknown, Runs.Runs | Shutdown.Shutdown>>(
    (inner, part) => Effect.provide(inner, Layer.unwrap(part)),
    Effect.provideServiceEffect(effect, Observer, observer)
  ).pipe(
    Effect.provide(Runs.layer),
    Effect.provideService(Shutdown.Shutdown, shutdown.service),
    Effect.tapCause(report),
    Effect.provideService(Logger.LogToStderr, true),
    Effect.provideService(Layer.CurrentMemoMap, closing.memoMap)
  )

  const start = Runtime.makeRunMain(({ fiber }) => {
    main = fiber
    Signals.listen(signalled)
    fiber.addObserver((exit) => {
      const request = shutdown.first()
      end(request?.code ?? exitCode(exit, ran), request && flushing)
    })
  })
  start(program, { disableErrorReporting: true })
}

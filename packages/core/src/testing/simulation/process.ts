/**
 * One process of a simulation: its own scheduler, clock and connections, running the real engine.
 *
 *     starting -> running -> ended       by itself, or because it was interrupted: nothing may be left of it
 *                    |
 *                    +-> crashed         nothing of it runs any more; the source takes back what it held
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Definition } from "../../internal/definition.ts"
import { nothingSettled } from "../../internal/engine/streamSource.ts"
import { start } from "../../internal/running.ts"
import type { Summary } from "../../Outcome.ts"
import type { Fault } from "../SimulationFault.ts"
import type { Between } from "./between.ts"
import { chance, Dice } from "./chance.ts"
import { fits } from "./facts.ts"
import { observed } from "./observed.ts"
import * as Runs from "./runs.ts"
import { ProcessScheduler } from "./scheduler.ts"
import * as Settlements from "./settlements.ts"
import { faultySink } from "./sink.ts"
import { faultySource } from "./source.ts"
import { Spans } from "./spans.ts"
import { beginning, noSkew, type Skew } from "./time.ts"
import type { Running } from "./running.ts"
import { Watch } from "./watch.ts"
import type { Opened, Place } from "./world.ts"

// A streaming run never ends by itself; neither does one whose task waits for ever.
const longestStreaming = 10 * 60_000
const idle = 60_000
const longest = 12 * 3_600_000
// What is left behind at the end of a run may go on for this long.
const longestBehind = 24 * 3_600_000

export class Process {
  private readonly running: Running
  private readonly n: number
  private readonly definition: Definition
  private readonly places: ReadonlyArray<Place>
  private readonly scheduler: ProcessScheduler
  private readonly scope = Scope.makeUnsafe()
  private readonly spans = new Spans()
  private readonly fault: Fault | undefined
  private watch: Watch | undefined
  private readonly resisting = { count: 0 }
  private crashed = false
  private interruptedAt: number | undefined

  constructor(running: Running, n: number, definition: Definition, places: ReadonlyArray<Place>) {
    this.running = running
    this.n = n
    this.definition = definition
    this.places = places
    this.fault = running.faults.at("run", "", n, 1)
    const dice = new Dice(running.seed, "process", n)
    this.scheduler = new ProcessScheduler(running.runnable, dice, running.interleaving)
  }

  async run(): Promise<"ended" | "failed" | "crashed" | "interrupted"> {
    const { running } = this
    const opened = await running.finish(
      Scope.provide(Effect.all(this.places.map(({ open }) => open)), this.scope)
    )
    const { fault } = this
    const skew: Skew = fault?.kind === "clockSkew"
      ? { offset: fault.value - 524_288, rate: 1 + (chance(running.seed, "rate", this.n) - 0.5) / 10 }
      : noSkew
    const clock = running.time.clock(this.scheduler, skew)
    const watch = this.watch = new Watch({
      n: this.n,
      facts: running.facts,
      history: running.history,
      time: running.time,
      capabilities: opened.find(({ source }) => source !== undefined)?.source?.capabilities ?? nothingSettled,
      now: () => clock.currentTimeMillisUnsafe()
    })
    watch.startedAt = watch.now()
    watch.exact = skew === noSkew
    const between = this.between(watch)
    const context = this.surroundings(clock, opened, between)
    const program = start(observed(this.definition, between, running.seed), {
      observe: (outcome) => {
        const one = watch.of(outcome.transaction)
        if (one !== undefined) Settlements.ended(watch, one, outcome._tag)
      }
    })
    watch.tell(undefined, `process ${this.n} starts`, "task", "task")
    const fiber = Effect.runForkWith(context)(program)
    await this.live(watch, fiber)
    if (this.crashed) {
      await this.afterCrash(opened)
      return "crashed"
    }
    const exit = fiber.pollUnsafe()
    if (exit === undefined) {
      if (running.history.violation === undefined) this.stuck(watch)
      return "failed"
    }
    const refused = Runs.refusal(exit)
    if (refused !== undefined) throw new Error(refused)
    Runs.ended(watch, exit)
    await this.leavesNothing(watch)
    await running.finish(Scope.close(this.scope, Exit.void))
    return this.interruptedAt !== undefined ? "interrupted" : Exit.isSuccess(exit) ? "ended" : "failed"
  }

  private between(watch: Watch): Between {
    const { running } = this
    return {
      watch,
      history: running.history,
      faults: running.faults,
      time: running.time,
      scheduler: this.scheduler,
      resisting: this.resisting,
      latency: running.latency,
      context: running.outside,
      cut: this.places.find(({ cut }) => cut !== undefined)?.cut,
      crash: (why) => this.crash(why),
      outside: (effect) =>
        Effect.suspend(() => {
          const fiber = Effect.runForkWith(running.outside)(effect)
          const exit = fiber.pollUnsafe()
          return exit === undefined
            ? Effect.callback((resume) => void fiber.addObserver((exit) => resume(Effect.succeed(exit))))
            : Effect.succeed(exit)
        }),
      close: Effect.suspend(() => {
        watch.tell(undefined, "the source closes the connection", "source", "source")
        Effect.runForkWith(running.outside)(Scope.close(this.scope, Exit.void))
        return Effect.void
      })
    }
  }

  private surroundings(clock: Clock.Clock, opened: ReadonlyArray<Opened>, between: Between): Context.Context<never> {
    const { running } = this
    const { watch } = between
    const format = opened.find(({ source }) => source !== undefined)?.source?.format ?? "native"
    const wrap = {
      source: (real: NonNullable<Opened["source"]>) =>
        faultySource(between, real, ({ payload }) => fits(this.definition, format, payload) !== true),
      sink: (real: Parameters<typeof faultySink>[1], id: string) => faultySink(between, real, id, false),
      letters: (real: Parameters<typeof faultySink>[1], id: string) => faultySink(between, real, id, true)
    }
    const dice = new Dice(running.seed, "random", this.n)
    const random = {
      nextDoubleUnsafe: () => dice.next(),
      nextIntUnsafe: () => dice.between(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    }
    const logger = Logger.make<unknown, void>(({ message }) => {
      watch.tell(undefined, `log: ${Array.isArray(message) ? message.map(String).join(" ") : String(message)}`)
    })
    const own = Context.make(Scheduler.Scheduler, this.scheduler).pipe(
      Context.add(Clock.Clock, clock),
      Context.add(Random.Random, random),
      Context.add(Logger.CurrentLoggers, new Set<Logger.Logger<unknown, unknown>>([logger]))
    )
    const traced = chance(running.seed, "traced", this.n) < 0.3
      ? Context.add(own, Tracer.Tracer, this.spans.tracer)
      : own
    return opened.reduce<Context.Context<never>>(
      (context, one) => Context.merge(context, one.context(wrap)),
      traced as Context.Context<never>
    )
  }

  /** Lets the process run until it has ended, has crashed, or breaks a rule. */
  private async live(watch: Watch, fiber: Fiber.Fiber<Summary, unknown>): Promise<void> {
    const { fault, running } = this
    const { facts, history, runnable, time } = running
    const from = runnable.steps
    const started = time.now
    const bound = started + (facts.streaming ? longestStreaming : longest)
    const ended = () => {
      if (this.crashed || fiber.pollUnsafe() !== undefined) return true
      if (fault !== undefined && runnable.steps - from >= fault.value) {
        if (fault.kind === "crashes") this.crash("between two steps")
        else if (fault.kind === "interrupted") this.interrupt(watch, fiber)
      }
      return this.crashed || fiber.pollUnsafe() !== undefined
    }
    // A streaming run has nothing left to do, or nothing has happened for a long time.
    const over = () =>
      facts.streaming && this.interruptedAt === undefined &&
      (history.known.size === history.ended.size || time.now - Math.max(started, beginning + history.latest) > idle)
    if (!(await running.drive(() => ended() || over(), bound))) this.late(watch, facts.streaming)
    if (ended() || history.violation !== undefined) return
    this.interrupt(watch, fiber)
    const slack = 1_000
    const end = time.now + (facts.grace + facts.close + slack) * 1.1
    if (!(await running.drive(ended, end)) && time.next !== Infinity) {
      const took = watch.now() - (this.interruptedAt ?? 0)
      watch.broken("drain", undefined, `it had not ended ${took} ms after it was interrupted`)
    }
  }

  private late(watch: Watch, streaming: boolean): void {
    const { time } = this.running
    if (time.next === Infinity) return this.stuck(watch)
    if (!streaming) watch.broken("a run ends", undefined, "it had not ended after 12 hours")
  }

  private stuck(watch: Watch): void {
    const open = watch.handovers.find((one) => one.outcome === undefined)
    watch.broken("a run ends", open, "nothing is left that could happen, and the run has not ended")
  }

  private interrupt(watch: Watch, fiber: Fiber.Fiber<Summary, unknown>): void {
    if (this.interruptedAt !== undefined) return
    this.interruptedAt = watch.now()
    watch.drainingSince ??= watch.now()
    watch.tell(undefined, "the run is interrupted", "task", "task")
    fiber.interruptUnsafe()
  }

  private crash(why: string): void {
    if (this.crashed) return
    this.watch?.tell(undefined, `the process crashes ${why}`, "task", "task")
    this.crashed = true
    if (this.watch !== undefined) this.watch.dead = true
    this.scheduler.dead = true
  }

  /** The source sees that the connection is gone, or sees nothing and lets the leases run out. */
  private async afterCrash(opened: ReadonlyArray<Opened>): Promise<void> {
    const { running } = this
    const leased = opened.some(({ source }) => source?.capabilities.lease !== undefined)
    if (leased && chance(running.seed, "unseen", this.n) < 0.5) return
    for (const { crash } of this.places) if (crash !== undefined) await running.finish(crash)
    await running.finish(Scope.close(this.scope, Exit.void))
  }

  /** Nothing runs any more, nothing is due, every span has ended. */
  private async leavesNothing(watch: Watch): Promise<void> {
    const { history, time } = this.running
    const quiet = () => this.running.runnable.waiting === 0
    await this.running.drive(quiet)
    // What resists its interruption goes on for as long as it takes.
    const behind = () => this.resisting.count > 0 || watch.handovers.some((one) => one.active > 0)
    if (behind()) await this.running.drive(() => !behind() && quiet(), time.now + longestBehind)
    if (history.violation !== undefined || behind()) return
    const { alive } = this.scheduler
    if (alive > 0) watch.broken("nothing is left", undefined, `${alive} fibers still run after the end of the run`)
    const timers = time.pendingOf(this.scheduler)
    if (timers > 0) watch.broken("nothing is left", undefined, `${timers} timers are left after the end of the run`)
    const [span] = this.spans.left
    if (span !== undefined) watch.broken("every span ends", undefined, `the span "${span}" was not ended`)
    if (this.spans.twice !== undefined) {
      watch.broken("every span ends", undefined, `the span "${this.spans.twice}" was ended twice`)
    }
  }
}

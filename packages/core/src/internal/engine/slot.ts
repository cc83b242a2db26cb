/**
 * A slot: the place where one transaction is being worked on. There are as many as the task's concurrency.
 *
 * A slot is a record, not a fiber. Every attempt of a step runs in a fresh root fiber: its exit is the result, its
 * children end with it, and the watcher interrupts it. An interrupted fiber runs only uninterruptible code, so that
 * user code cannot swallow a deadline.
 *
 *     idle -> decode -> process -> dispatch -> success -> idle        the item handed over with Ack
 *               |          |          |           |
 *               +----------+----------+-----------+-> exception -> idle        with what the failure came to
 *
 *     cut: nothing -> attempt    the attempt's timeout: it is tried again, or has failed
 *                  -> deadline   the transaction's: the work has failed, whatever its fiber still answers
 *                  -> stop       the run's: the item is released
 *
 * A slot whose work resists its interruption stays taken until the work ends.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Step } from "../../Failure.ts"
import { Carried } from "../../Telemetry.ts"
import type { Item } from "./item.ts"
import { headersIn } from "./traceparent.ts"
import { Untaken } from "./untaken.ts"
import type { Watched } from "./watcher.ts"

export type Cut = "nothing" | "attempt" | "deadline" | "stop"

export class Slot implements Watched {
  item: Item | undefined = undefined
  step: Step = "decode"
  attempt = 0
  // How long was waited before this attempt, in milliseconds.
  delay = 0
  // When its transaction was started, in milliseconds.
  startedAt = 0
  cut: Cut = "nothing"
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  // What goes on when a wait between two attempts ends.
  resume: ((slot: Slot) => void) | undefined = undefined
  // A connector failed for a reason that can pass: at the deadline the item goes back for later.
  retrying = false
  // How a step that runs elsewhere (a gathered dispatch) is given up; `false` when its end has to be waited for.
  abandon: (() => boolean) | undefined = undefined

  // Every attempt has a Scope of its own, and a context that holds it. Making both costs more than most programs do, and
  // most programs acquire nothing: a scope to which nothing was added is as good as new, and serves the next attempt.
  scope: Scope.Closeable
  private scoped: Context.Context<never>
  // The same below a span that is sent nowhere. Both serve the next transaction as long as nobody has looked at the span:
  // a context with another span costs more than everything else that an untaken transaction does.
  private untaken: Untaken | undefined
  private untakenContext: Context.Context<never> | undefined
  // Below the transaction's span, and with the transaction on every line that is logged; made by the first attempt of each
  // transaction.
  private surroundings: Context.Context<never> | undefined
  private readonly context: Context.Context<never>

  // The earlier of the two below.
  dueAt = Infinity
  deadline = Infinity
  attemptDueAt = Infinity
  private readonly due: (slot: Slot, now: number) => void

  constructor(context: Context.Context<never>, due: (slot: Slot, now: number) => void) {
    this.context = context
    this.due = due
    this.scope = Scope.makeUnsafe()
    this.scoped = Context.add(context, Scope.Scope, this.scope)
  }

  /** A scope that was used is closed and gone; the next attempt gets another one. */
  renewScope(): void {
    this.scope = Scope.makeUnsafe()
    this.scoped = Context.add(this.context, Scope.Scope, this.scope)
    this.untakenContext = undefined
    this.surroundings = undefined
  }

  /** The span of a transaction whose trace nobody takes. */
  untakenSpan(name: string): Untaken {
    if (this.untaken?.isUnseen !== true) {
      this.untaken = new Untaken(name)
      this.untakenContext = undefined
    }
    return this.untaken
  }

  /** Runs something of the slot's transaction, below the span of the attempt where it has one. */
  fork<A, E>(
    effect: Effect.Effect<A, E>,
    span?: Tracer.AnySpan,
    options?: Effect.RunOptions
  ): Fiber.Fiber<A, E> {
    const surroundings = this.surroundings ??= this.surround()
    const context = span === undefined ? surroundings : Context.add(surroundings, Tracer.ParentSpan, span)
    return Effect.runForkWith(context as Context.Context<never>)(effect, options)
  }

  /** The next transaction has surroundings of its own. */
  vacate(): void {
    this.item = undefined
    this.cut = "nothing"
    this.retrying = false
    this.dueAt = Infinity
    this.deadline = Infinity
    this.attemptDueAt = Infinity
    this.surroundings = undefined
  }

  private surround(): Context.Context<never> {
    const { item } = this
    const span = item?.span
    const transaction = item?.delivery.transaction
    const annotations = Context.get(this.context, References.CurrentLogAnnotations)
    const surroundings = Context.add(
      span === undefined ? this.scoped : this.below(span),
      References.CurrentLogAnnotations,
      { ...annotations, transaction: transaction?.id }
    )
    if (span === undefined || transaction === undefined) return surroundings
    const { metadata } = transaction
    return metadata["traceparent"] === undefined && metadata["baggage"] === undefined
      ? surroundings
      : Context.add(surroundings, Carried, headersIn(metadata))
  }

  private below(span: Tracer.Span): Context.Context<never> {
    if (span !== this.untaken) return Context.add(this.scoped, Tracer.ParentSpan, span)
    return this.untakenContext ??= Context.add(this.scoped, Tracer.ParentSpan, span)
  }

  onDue(now: number): void {
    this.due(this, now)
  }

  schedule(): void {
    this.dueAt = this.attemptDueAt < this.deadline ? this.attemptDueAt : this.deadline
  }
}

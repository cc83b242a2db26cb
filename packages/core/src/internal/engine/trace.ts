/**
 * The spans of a run. There is none of this unless a tracer listens: then the engine makes spans with the tracer itself,
 * which costs a tenth of what `Effect.withSpan` does.
 *
 *     run ─┬─ batch ─┬─ transaction ─┬─ decode, process, success, exception: one for each attempt
 *          │         │               ├─ dispatch <sink>: one for each attempt, what it sends carries its traceparent
 *          └─ fetch  └─ transaction  └─ settle <source>: one for each attempt
 *
 * In a streaming run every transaction, fetch and batch begins a trace of its own, linked to the run, so that no trace
 * grows without end. What the sampler does not take has no spans below it: programs see the span that was not sampled.
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { describeFailure, type Failure } from "../../Failure.ts"
import { type Reason, Timeout } from "../../Reason.ts"
import { attributes, type HeadTracer, spans } from "../../Telemetry.ts"
import type { Item } from "./item.ts"
import type { Plan } from "./plan.ts"
import { failedAttempt, shown, shownFailure } from "./shown.ts"
import type { Slot } from "./slot.ts"
import { timedOut } from "./timedOut.ts"
import { producerOf } from "./traceparent.ts"

export interface TraceOptions {
  readonly plan: Plan
  readonly clock: Clock.Clock
  readonly context: Context.Context<never>
}

/** Whether somebody has set a tracer: the one that is there by default keeps nothing. */
export const listens = (context: Context.Context<never>): boolean =>
  Context.getOrUndefined(context, Tracer.Tracer) !== undefined && Context.get(context, References.TracerEnabled)

const none = Option.none<Tracer.AnySpan>()

const headsOf = (tracer: Tracer.Tracer): HeadTracer["~ergon/heads"] | undefined =>
  Predicate.hasProperty(tracer, "~ergon/heads") ? (tracer as HeadTracer)["~ergon/heads"] : undefined

export class Trace {
  readonly run: Tracer.Span
  private readonly plan: Plan
  private readonly clock: Clock.Clock
  private readonly tracer: Tracer.Tracer
  private readonly heads: HeadTracer["~ergon/heads"] | undefined
  private readonly names: { readonly transaction: string; readonly settle: string }
  private readonly links: ReadonlyArray<Tracer.SpanLink>
  private batch: Tracer.Span | undefined

  constructor(options: TraceOptions) {
    const { context, plan } = options
    this.plan = plan
    this.clock = options.clock
    this.tracer = Context.get(context, Tracer.Tracer)
    this.heads = headsOf(this.tracer)
    this.names = {
      transaction: `${spans.transaction.name} ${plan.sourceId}`,
      settle: `${spans.settle.name} ${plan.sourceId}`
    }
    const outer = Context.getOrUndefined(context, Tracer.ParentSpan)
    this.run = this.start(`${spans.run.name} ${plan.name}`, "internal", outer, [])
    this.run.attribute(attributes.task, plan.name)
    this.links = [{ span: this.run, attributes: {} }]
  }

  /** The run has come to its end. */
  end(exit: Exit.Exit<unknown, unknown>): void {
    this.endBatch()
    this.run.end(this.now(), shown(exit))
  }

  /** A fetch brought something, or failed: it is told afterwards, so that those that find nothing cost nothing. */
  fetched(startedAt: number, deliveries: number, failure?: Exit.Exit<never, unknown>): void {
    const span = this.startBelowRun(
      `${spans.fetch.name} ${this.plan.sourceId}`,
      "client",
      BigInt(startedAt) * 1_000_000n
    )
    this.describeOperation(span, "receive", this.plan.sourceId)
    span.attribute(attributes.batchSize, deliveries)
    if (failure !== undefined && Exit.isFailure(failure))
      describe(span, { ...failedAttempt(failure), category: "system" })
    span.end(this.now(), shown(failure ?? Exit.void))
  }

  /** A batch begins: what is started until the next one is part of it. */
  startBatch(size: number): void {
    this.endBatch()
    this.batch = this.startBelowRun(`${spans.batch.name} ${this.plan.name}`, "internal")
    this.batch.attribute(attributes.task, this.plan.name)
    this.batch.attribute(attributes.batchSize, size)
  }

  endBatch(): void {
    this.batch?.end(this.now(), Exit.void)
    this.batch = undefined
  }

  /** A transaction is started. */
  transaction(slot: Slot, item: Item): void {
    const { joinsTrace, name, source: { capabilities: { lease } }, sourceId, streaming } = this.plan
    const { id, metadata } = item.delivery.transaction
    const producer = producerOf(metadata)
    const joined = joinsTrace ? producer : undefined
    const parent = joined ?? (streaming ? undefined : this.batch ?? this.run)
    // Below a run that is not taken there is nothing to make, and nothing to end.
    if (parent !== undefined && joined === undefined && !parent.sampled) {
      item.span = this.run
      return
    }
    let tracer = this.tracer
    if (parent === undefined && this.heads !== undefined) {
      if (!this.heads.isTaken()) {
        item.span = slot.untakenSpan(this.names.transaction)
        return
      }
      tracer = this.heads.taken
    }
    const links: Array<Tracer.SpanLink> = joined === undefined && !streaming ? [] : this.links.slice()
    if (producer !== undefined && joined === undefined) links.push({ span: producer, attributes: {} })
    const span = this.start(this.names.transaction, "consumer", parent, links, this.now(), tracer)
    item.span = span
    if (!span.sampled) return
    span.attribute(attributes.task, name)
    span.attribute(attributes.messageId, id)
    span.attribute(attributes.deliveries, item.deliveries)
    if (lease !== undefined) span.attribute(attributes.lease, Duration.toMillis(lease.duration))
    this.describeOperation(span, "process", sourceId)
  }

  /** A transaction has ended: its settlement is confirmed, or never will be. */
  transactionEnded(item: Item): void {
    const { disposition, failure, span } = item
    if (span === undefined) return
    item.span = undefined
    if (!span.sampled) {
      // Nobody looks at the time of its end; the run has one of its own.
      if (span !== this.run) span.end(0n, Exit.void)
      return
    }
    span.attribute(attributes.outcome, item.kind)
    span.attribute(attributes.disposition, disposition._tag)
    if (disposition._tag === "Requeue") span.attribute(attributes.delay, Duration.toMillis(disposition.delay))
    span.attribute(attributes.attempts, item.attempts)
    if (failure === undefined) return span.end(this.now(), Exit.void)
    span.attribute(attributes.step, failure.step)
    const errorType = failure.category === "timeout" ? "timeout" : describeFailure(failure).tag
    describe(span, { category: failure.category, errorType })
    span.end(this.now(), shownFailure(failure, item.delivery.malformed !== undefined))
  }

  /** One attempt of the step that the slot is in. `undefined` when nobody wants to know. */
  attempt(slot: Slot): Tracer.Span | undefined {
    const span = this.below(slot.item, slot.step)
    if (span === undefined) return undefined
    this.describeAttempt(span, slot.attempt, slot.delay)
    return span
  }

  attemptEnded(span: Tracer.Span, slot: Slot, exit: Exit.Exit<unknown, unknown>): void {
    const { cut, step } = slot
    if (cut !== "nothing") span.attribute(attributes.cut, cut)
    if (cut === "attempt" || cut === "deadline") {
      describe(span, { category: "timeout", errorType: "timeout" })
      const late = cut === "deadline"
        ? timedOut("transaction", this.plan.deadline)
        : timedOut(step, this.timeoutOf(step))
      return span.end(this.now(), Exit.fail(late))
    }
    if (Exit.isFailure(exit) && cut === "nothing") describe(span, failedAttempt(exit))
    span.end(this.now(), shown(exit))
  }

  /** One attempt to send to a sink. */
  dispatch(item: Item, sink: string, { attempt, delay }: Slot): Tracer.Span | undefined {
    const span = this.below(item, `${spans.dispatch.name} ${sink}`, "producer")
    if (span === undefined) return undefined
    this.describeOperation(span, "send", sink)
    this.describeAttempt(span, attempt, delay)
    return span
  }

  /** One attempt to settle at the source, `delay` milliseconds after the last one. */
  settle(item: Item, delay: number): Tracer.Span | undefined {
    const span = this.below(item, this.names.settle, "client")
    if (span === undefined) return undefined
    this.describeOperation(span, "settle", this.plan.sourceId)
    span.attribute(attributes.disposition, item.disposition._tag)
    this.describeAttempt(span, item.settleAttempts + 1, delay)
    return span
  }

  /** The end of an attempt at a connector. */
  answered(span: Tracer.Span, reason: Reason | undefined, batchSize: number): void {
    span.attribute(attributes.batchSize, batchSize)
    if (reason !== undefined) {
      describe(span, { category: reason instanceof Timeout ? "timeout" : "system", errorType: reason._tag })
    }
    span.end(this.now(), reason === undefined ? Exit.void : shown(Exit.fail(reason)))
  }

  private describeAttempt(span: Tracer.Span, attempt: number, delay: number): void {
    span.attribute(attributes.attempt, attempt)
    if (attempt > 1) span.attribute(attributes.delay, delay)
  }

  private timeoutOf(step: Slot["step"]): number {
    switch (step) {
      case "process":
      case "exception":
        return this.plan[step].timeout
      case "success":
        return this.plan.success?.timeout ?? Infinity
      default:
        return Infinity
    }
  }

  private describeOperation(span: Tracer.Span, operation: string, destination: string): void {
    span.attribute(attributes.operation, operation)
    span.attribute(attributes.operationType, operation)
    span.attribute(attributes.destination, destination)
  }

  private now(): bigint {
    return this.clock.currentTimeNanosUnsafe()
  }

  private below(item: Item | undefined, name: string, kind: Tracer.SpanKind = "internal"): Tracer.Span | undefined {
    const parent = item?.span
    return parent === undefined || !parent.sampled ? undefined : this.start(name, kind, parent, [])
  }

  private startBelowRun(name: string, kind: Tracer.SpanKind, startTime?: bigint): Tracer.Span {
    return this.plan.streaming
      ? this.start(name, kind, undefined, [...this.links], startTime)
      : this.start(name, kind, this.run, [], startTime)
  }

  private start(
    name: string,
    kind: Tracer.SpanKind,
    parent: Tracer.AnySpan | undefined,
    links: Array<Tracer.SpanLink>,
    startTime = this.now(),
    tracer = this.tracer
  ): Tracer.Span {
    return tracer.span({
      name,
      kind,
      parent: parent === undefined ? none : Option.some(parent),
      links,
      startTime,
      annotations: Context.empty(),
      root: parent === undefined,
      sampled: parent?.sampled ?? true
    })
  }
}

const describe = (
  span: Tracer.Span,
  failed: { readonly category: Failure<unknown, unknown>["category"]; readonly errorType: string }
): void => {
  span.attribute(attributes.category, failed.category)
  span.attribute(attributes.errorType, failed.errorType)
}

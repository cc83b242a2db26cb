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
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { describeFailure, type Failure } from "../../Failure.ts"
import type { Reason } from "../../Reason.ts"
import { attributes, spans } from "../../Telemetry.ts"
import type { Item } from "./item.ts"
import type { Plan } from "./plan.ts"
import type { Slot } from "./slot.ts"
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

export class Trace {
  readonly run: Tracer.Span
  private readonly plan: Plan
  private readonly clock: Clock.Clock
  private readonly tracer: Tracer.Tracer
  private readonly links: ReadonlyArray<Tracer.SpanLink>
  private batch: Tracer.Span | undefined

  constructor(options: TraceOptions) {
    const { context, plan } = options
    this.plan = plan
    this.clock = options.clock
    this.tracer = Context.get(context, Tracer.Tracer)
    const outer = Context.getOrUndefined(context, Tracer.ParentSpan)
    this.run = this.start(`${spans.run.name} ${plan.name}`, "internal", outer, [])
    this.run.attribute(attributes.task, plan.name)
    this.links = [{ span: this.run, attributes: {} }]
  }

  /** The run has come to its end. */
  end(exit: Exit.Exit<unknown, unknown>): void {
    this.endBatch()
    this.run.end(this.now(), exit)
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
    span.end(this.now(), failure ?? Exit.void)
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
  transaction(item: Item): void {
    const { joinsTrace, name, source: { capabilities: { lease } }, sourceId, streaming } = this.plan
    const { id, metadata } = item.delivery.transaction
    const producer = producerOf(metadata)
    const joined = joinsTrace ? producer : undefined
    const parent = joined ?? (streaming ? undefined : this.batch ?? this.run)
    const links: Array<Tracer.SpanLink> = joined === undefined && !streaming ? [] : this.links.slice()
    if (producer !== undefined && joined === undefined) links.push({ span: producer, attributes: {} })
    const span = this.start(`${spans.transaction.name} ${sourceId}`, "consumer", parent, links)
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
    const { span } = item
    if (span === undefined) return
    item.span = undefined
    // Nobody looks at the time of its end.
    if (!span.sampled) return span.end(0n, Exit.void)
    span.attribute(attributes.outcome, item.kind)
    span.attribute(attributes.disposition, item.disposition._tag)
    span.attribute(attributes.attempts, item.attempts)
    if (item.failure !== undefined) describe(span, item.failure)
    span.end(this.now(), item.failure === undefined ? Exit.void : exitOf(item.failure))
  }

  /** One attempt of the step that the slot is in. `undefined` when nobody wants to know. */
  attempt(slot: Slot): Tracer.Span | undefined {
    const span = this.below(slot.item, slot.step)
    if (span === undefined) return undefined
    span.attribute(attributes.attempt, slot.attempt)
    return span
  }

  attemptEnded(span: Tracer.Span, slot: Slot, exit: Exit.Exit<unknown, unknown>): void {
    if (slot.cut !== "nothing") {
      span.attribute(attributes.cut, slot.cut)
      if (slot.cut !== "stop") span.attribute(attributes.errorType, "timeout")
    }
    span.end(this.now(), exit)
  }

  /** One attempt to send to a sink. */
  dispatch(item: Item, sink: string, attempt: number): Tracer.Span | undefined {
    const span = this.below(item, `${spans.dispatch.name} ${sink}`, "producer")
    if (span === undefined) return undefined
    this.describeOperation(span, "send", sink)
    span.attribute(attributes.attempt, attempt)
    return span
  }

  /** One attempt to settle at the source. */
  settle(item: Item): Tracer.Span | undefined {
    const span = this.below(item, `${spans.settle.name} ${this.plan.sourceId}`, "client")
    if (span === undefined) return undefined
    this.describeOperation(span, "settle", this.plan.sourceId)
    span.attribute(attributes.disposition, item.disposition._tag)
    span.attribute(attributes.attempt, item.settleAttempts + 1)
    return span
  }

  /** The end of an attempt at a connector. */
  answered(span: Tracer.Span, reason: Reason | undefined, batchSize: number): void {
    span.attribute(attributes.batchSize, batchSize)
    if (reason !== undefined) span.attribute(attributes.errorType, reason._tag)
    span.end(this.now(), reason === undefined ? Exit.void : Exit.fail(reason))
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
    startTime = this.now()
  ): Tracer.Span {
    return this.tracer.span({
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

const describe = (span: Tracer.Span, failure: Failure<unknown, unknown>): void => {
  span.attribute(attributes.category, failure.category)
  span.attribute(attributes.step, failure.step)
  span.attribute(attributes.errorType, failure.category === "timeout" ? "timeout" : describeFailure(failure).tag)
}

const exitOf = (failure: Failure<unknown, unknown>): Exit.Exit<never, unknown> =>
  failure.step === "decode" ? Exit.fail(failure.issue) : Exit.failCause(failure.cause)

/**
 * One run of a task: finds its connectors, compiles the plan, and drives the loop to its end.
 *
 * Interrupting a run drains it: no new fetch, what runs may finish within `shutdown.grace`, the rest is released. Worst
 * case until it has ended: `shutdown.grace` plus `shutdown.close`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type { SinkService, SourceService } from "../../Connector.ts"
import { FetchError } from "../../ConnectorError.ts"
import * as Delivery from "../../Delivery.ts"
import type { Outcome, Summary } from "../../Outcome.ts"
import * as Policy from "../../Policy.ts"
import { Timeout, Unsupported } from "../../Reason.ts"
import type { ConnectorOfRun } from "../../Run.ts"
import { ProducerFailed, type RunError, TaskRefused } from "../../TaskError.ts"
import type { Transaction } from "../../Transaction.ts"
import type { Definition } from "../definition.ts"
import type { Route } from "./gather.ts"
import { Loop } from "./loop.ts"
import * as Plan from "./plan.ts"
import * as StreamSource from "./streamSource.ts"
import { listens, Trace } from "./trace.ts"
import { validate } from "./validate.ts"

export interface RunOptions {
  readonly observe?: (outcome: Outcome<unknown, unknown, unknown>) => void
  readonly behind?: () => boolean
  // Called with the loop once it stands, for whoever steers it.
  readonly attach?: (loop: Loop) => void
  // Called with the connectors once they are found.
  readonly connected?: (connectors: ReadonlyArray<ConnectorOfRun>) => void
  // One transaction instead of what the source has: one that is decoded already and is settled nowhere, or the id of
  // one that is claimed at the source and settled there.
  readonly only?: { readonly transaction: Transaction<unknown> } | { readonly id: string }
}

/** The service of a key whose Layer the types have asked for. */
export const service = <Self, Shape>(context: Context.Context<never>, key: Context.Key<Self, Shape>): Shape =>
  Context.getUnsafe(context as Context.Context<Self>, key)

export const run = (definition: Definition, options: RunOptions = {}): Effect.Effect<Summary, unknown> =>
  Effect.scoped(Effect.gen(function*() {
    const context = yield* Effect.context<never>()
    const policy = policyOf(definition)
    const stream = definition.from._tag === "stream" ? yield* StreamSource.make(definition.from.stream) : undefined
    const own = definition.from._tag === "source" ? service(context, definition.from.key).source : stream!.source
    const { only } = options
    const problems = validate(definition, policy, own, only === undefined || "id" in only)
    if (problems.length > 0) return yield* new TaskRefused({ task: definition.name, problems })
    const sinks = definition.sinks.map((sink) => service(context, sink.key).sink)
    const deadLetters = definition.deadLetter === undefined || definition.deadLetter === "discard"
      ? undefined
      : service(context, definition.deadLetter).deadLetters
    options.connected?.(connectorsOf(definition, own, sinks, deadLetters))
    const source = only === undefined
      ? own
      : "id" in only
      ? onlyOne(own, yield* claim(definition, policy, own, only.id), true)
      : onlyOne(own, Delivery.make(only.transaction), false)
    const plan = Plan.make({
      definition,
      policy,
      source,
      sourceId: definition.from._tag === "source" ? definition.from.key.id : definition.name,
      sinks,
      deadLetters,
      context,
      prepared: only !== undefined && "transaction" in only ? only.transaction : undefined,
      single: only !== undefined
    })
    const annotations = { ...Context.get(context, References.CurrentLogAnnotations), task: definition.name }
    const steps = Context.add(context, Policy.Current, policy).pipe(
      Context.add(References.CurrentLogAnnotations, annotations)
    )
    const clock = yield* Clock.Clock
    const started = clock.currentTimeMillisUnsafe()
    const trace = yield* traced(plan, steps, clock)
    const loop = yield* drive(plan, trace, steps, clock, sinks, options).pipe(
      Effect.catch((error): Effect.Effect<never, unknown> => {
        const cause = stream?.failure()
        return cause === undefined ? Effect.fail(error) : Effect.failCause(cause)
      })
    )
    const { lost, lostIds, lostReason } = loop.tally
    if (lost > 0 && only === undefined) {
      return yield* new ProducerFailed({ task: definition.name, failed: lost, ids: lostIds, reason: lostReason })
    }
    const delayed = only === undefined ? yield* countDelayed(own) : 0
    return loop.tally.summary(delayed, clock.currentTimeMillisUnsafe() - started)
  }))

const connectorsOf = (
  { deadLetter, from, sinks }: Definition,
  source: SourceService,
  services: ReadonlyArray<SinkService>,
  deadLetters: SinkService | undefined
): ReadonlyArray<ConnectorOfRun> => {
  const found: Array<ConnectorOfRun> = []
  if (from._tag === "source") {
    found.push({ id: from.key.id, role: "source", health: source.health, count: source.count })
  }
  sinks.forEach(({ key }, index) => {
    found.push({ id: key.id, role: "sink", health: services[index]!.health, count: undefined })
  })
  if (deadLetters !== undefined && deadLetter !== undefined && deadLetter !== "discard") {
    found.push({ id: deadLetter.id, role: "deadLetters", health: deadLetters.health, count: undefined })
  }
  return found
}

/**
 * The effective policy of a task. A producer works batch by batch unless it says otherwise, and its stream may take its
 * time unless `fetch.timeout` is set.
 */
export const policyOf = (definition: Definition): Policy.Policy => Policy.make(inputOf(definition))

/** What a task says of its policy, with what a producer says by being one. */
export const inputOf = ({ from, policy }: Definition): Policy.Input =>
  from._tag === "stream"
    ? Policy.merge(
      { loop: { mode: "batch" } },
      policy.fetch?.timeout === undefined ? { supervision: { thresholds: { fetch: null } } } : undefined,
      policy
    )
    : policy

/** Traces the run when somebody listens, until its scope is closed. */
const traced = (plan: Plan.Plan, context: Context.Context<never>, clock: Clock.Clock) =>
  listens(context)
    ? Effect.acquireRelease(
      Effect.sync(() => new Trace({ plan, context, clock })),
      (trace, exit) => Effect.sync(() => trace.end(exit))
    )
    : Effect.void

const drive = (
  plan: Plan.Plan,
  trace: Trace | void,
  context: Context.Context<never>,
  clock: Clock.Clock,
  sinks: ReadonlyArray<Plan.Outputs["service"]>,
  options: RunOptions
): Effect.Effect<Loop, RunError> =>
  Effect.callback<Loop, RunError>((resume) => {
    const ends: Array<() => void> = []
    const surroundings = trace ? Context.add(context, Tracer.ParentSpan, trace.run) : context
    const loop: Loop = new Loop({
      plan,
      clock,
      trace: trace ?? undefined,
      context: surroundings as Context.Context<never>,
      fork: Effect.runForkWith(surroundings as Context.Context<never>),
      sinks: sinks.map((_, index) => routeTo(plan, index)),
      deadLetters: plan.deadLetters._tag === "sink" ? routeOf(plan.deadLetters.service) : undefined,
      observe: options.observe,
      behind: options.behind ?? (() => false),
      ended: (error) => {
        resume(error === undefined ? Effect.succeed(loop) : Effect.fail(error))
        for (const end of ends) end()
      }
    })
    options.attach?.(loop)
    loop.start()
    return Effect.callback<void>((resume) => {
      if (loop.phase === "ended") return resume(Effect.void)
      ends.push(() => resume(Effect.void))
      loop.drain()
    })
  })

const routeOf = (sink: Plan.Outputs["service"]): Route => ({
  atomic: false,
  send: (parcels) =>
    sink.dispatch(parcels.length === 1 ? parcels[0]!.transactions : parcels.flatMap((parcel) => parcel.transactions))
})

const routeTo = (plan: Plan.Plan, index: number): Route => {
  const sink = plan.outputs[index]!.service
  const { commit } = plan
  if (commit === undefined) return routeOf(sink)
  return {
    atomic: true,
    send: (parcels) =>
      commit.transact(
        parcels.map((parcel) => parcel.item),
        (held) => {
          const transactions = held.flatMap((index) => parcels[index]!.transactions)
          return transactions.length === 0 ? Effect.void : sink.dispatch(transactions)
        }
      )
  }
}

/** Claims one transaction at its source, within the time of a fetch. */
const claim = (
  definition: Definition,
  policy: Policy.Policy,
  source: SourceService,
  id: string
): Effect.Effect<Delivery.Delivery, FetchError> =>
  source.resolve === undefined
    ? Effect.fail(
      new FetchError({
        reason: new Unsupported({
          message: `the source of task "${definition.name}" cannot look up a transaction by its id`
        })
      })
    )
    : Effect.timeoutOrElse(source.resolve(id), {
      duration: policy.fetch.timeout,
      orElse: () =>
        Effect.fail(new FetchError({ reason: new Timeout({ message: `transaction "${id}" was not claimed in time` }) }))
    })

/** A source that hands over one delivery; a run of a single transaction asks for no second one. */
const onlyOne = (source: SourceService, delivery: Delivery.Delivery, settles: boolean): SourceService => ({
  format: source.format,
  capabilities: settles ? source.capabilities : StreamSource.nothingSettled,
  fetch: () => Effect.succeed([delivery]),
  settle: (settlements) => settles ? source.settle(settlements) : Effect.void,
  ...(settles && source.extend !== undefined ? { extend: (deliveries) => source.extend!(deliveries) } : {}),
  ...(settles && source.isHeld !== undefined ? { isHeld: (delivery) => source.isHeld!(delivery) } : {}),
  ...(settles && source.commit !== undefined ? { commit: source.commit } : {})
})

const countDelayed = (source: SourceService): Effect.Effect<number> =>
  source.count === undefined
    ? Effect.succeed(0)
    : source.count.pipe(
      Effect.map((count) => count.delayed),
      Effect.timeout("5 seconds"),
      Effect.orElseSucceed(() => 0)
    )

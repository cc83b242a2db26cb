/**
 * A task compiled for one run: codecs, delays and bounds worked out once, so that a transaction pays only for what its
 * policy asks for. Times are milliseconds; `Infinity` is no bound.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { format } from "effect/Formatter"
import * as Random from "effect/Random"
import type * as Schema from "effect/Schema"
import type { Commit, SinkService, SourceService } from "../../Connector.ts"
import { DeadLetter } from "../../DeadLetter.ts"
import type * as Policy from "../../Policy.ts"
import type { Transaction } from "../../Transaction.ts"
import { decoder, encoder } from "../codec.ts"
import type { Decide, Definition, Program, SinkStep } from "../definition.ts"
import { delayMillis } from "../policy/schedule.ts"

export interface StepPlan {
  readonly maxAttempts: number
  readonly timeout: number
  readonly delay: (attempt: number) => number
}

export interface Outputs {
  // The id of the sink's key.
  readonly id: string
  readonly service: SinkService
  readonly outputs: SinkStep["outputs"]
  readonly encode: (payload: unknown) => Effect.Effect<unknown, unknown>
}

export interface Decoder {
  readonly decode: (u: unknown) => Effect.Effect<unknown, unknown>
  readonly explain: (u: unknown) => Effect.Effect<unknown, unknown>
}

export type DeadLetterPlan =
  | { readonly _tag: "discard" }
  | { readonly _tag: "nowhere" }
  | { readonly _tag: "source" }
  | {
    readonly _tag: "sink"
    readonly id: string
    readonly service: SinkService
    readonly encode: (letter: DeadLetter) => Effect.Effect<unknown, unknown>
  }

export interface Plan {
  readonly name: string
  readonly sourceId: string
  readonly source: SourceService
  readonly decode: Decoder | undefined
  // Given instead of decoding: the transaction of `Task.runTransaction`.
  readonly prepared: Transaction<unknown> | undefined
  readonly orderBy: Definition["orderBy"]
  readonly lanes: boolean
  readonly process: StepPlan & { readonly program: (transaction: Transaction<unknown>) => Program }
  readonly decide: Decide
  readonly outputs: ReadonlyArray<Outputs>
  readonly dispatch: StepPlan
  readonly commit: Commit | undefined
  readonly success:
    | StepPlan & { readonly program: (transaction: Transaction<unknown>, result: unknown) => Program }
    | undefined
  readonly exception: StepPlan & { readonly program: Definition["onFailure"] }
  readonly deadLetters: DeadLetterPlan
  readonly settle: StepPlan
  readonly settleBudget: number
  readonly emptyDelay: (attempt: number) => number
  readonly fetch: {
    readonly batchSize: number | undefined
    readonly interval: number
    readonly prefetch: "auto" | number
    readonly wait: Duration.Duration
    readonly waitMillis: number
    readonly timeout: number
    readonly retry: StepPlan
  }
  readonly mode: "continuous" | "batch"
  readonly streaming: boolean
  readonly concurrency: number
  readonly limit: number
  readonly loopTimeout: number
  readonly rate: { readonly limit: number; readonly interval: number } | undefined
  readonly deadline: number
  readonly maxDeliveries: number
  // The span of a transaction continues its producer's trace, instead of a link to it.
  readonly joinsTrace: boolean
  readonly grace: number
  readonly close: number
  // One transaction, pushed through by hand: what is requeued is not run again.
  readonly single: boolean
}

export interface PlanInput {
  readonly definition: Definition
  readonly policy: Policy.Policy
  readonly source: SourceService
  readonly sourceId: string
  readonly sinks: ReadonlyArray<SinkService>
  readonly deadLetters: SinkService | undefined
  readonly context: Context.Context<never>
  readonly prepared: Transaction<unknown> | undefined
  readonly single: boolean
}

export const make = (input: PlanInput): Plan => {
  const { definition, policy, source } = input
  const random = Context.get(input.context, Random.Random)
  const step = (of: Policy.StepPolicy): StepPlan => ({
    maxAttempts: of.retry.maxAttempts,
    timeout: Duration.toMillis(of.timeout),
    delay: delayMillis(of.retry, () => random.nextDoubleUnsafe())
  })
  const emptyDelay = delayMillis({ ...policy.fetch.empty, jitter: "none" }, () => 0)
  const wait = policy.loop.streaming ? policy.fetch.wait : Duration.zero
  const outputs = definition.sinks.map((sink, i): Outputs => ({
    id: sink.key.id,
    service: input.sinks[i]!,
    outputs: sink.outputs,
    encode: within(input.context, encoder(sink.key.payload, input.sinks[i]!.format))
  }))
  const success = definition.onSuccess
  const commit = joinCommit(definition, source, input.sinks)
  const dispatch = step(policy.dispatch)
  const settle = step(policy.settle)
  const deadline = Duration.toMillis(policy.transaction.timeout)
  return {
    name: definition.name,
    sourceId: input.sourceId,
    source,
    decode: definition.from._tag === "source" && input.prepared === undefined
      ? compileDecoder(input.context, definition.from.key.payload, source)
      : undefined,
    prepared: input.prepared,
    orderBy: definition.orderBy,
    lanes: policy.loop.ordering === "byKey" || definition.orderBy !== undefined,
    process: {
      ...step(policy.process),
      program: definition.process
    },
    decide: definition.decide ?? (() => "undecided"),
    outputs,
    // A commit is the settlement as well.
    dispatch: commit === undefined ? dispatch : { ...dispatch, timeout: Math.min(dispatch.timeout, settle.timeout) },
    commit,
    success: success === undefined ? undefined : {
      ...step(policy.success),
      program: success
    },
    exception: {
      ...step(policy.exception),
      program: definition.onFailure
    },
    deadLetters: deadLetterPlan(definition, input.deadLetters),
    settle,
    settleBudget: deadline,
    emptyDelay,
    fetch: {
      batchSize: policy.fetch.batch.size,
      interval: Duration.toMillis(policy.fetch.batch.interval),
      prefetch: policy.fetch.prefetch,
      wait,
      waitMillis: Duration.toMillis(wait),
      // A stream takes the time it takes, unless the task says otherwise: nobody else has to answer.
      timeout: definition.from._tag === "stream" && definition.policy.fetch?.timeout === undefined
        ? Infinity
        : Duration.toMillis(policy.fetch.timeout),
      retry: step({ retry: policy.fetch.retry, timeout: Duration.infinity })
    },
    mode: policy.loop.mode,
    streaming: policy.loop.streaming,
    concurrency: policy.loop.concurrency,
    limit: input.single ? 1 : policy.loop.limit,
    loopTimeout: Duration.toMillis(policy.loop.timeout),
    rate: policy.loop.rate === undefined
      ? undefined
      : { limit: policy.loop.rate.limit, interval: Duration.toMillis(policy.loop.rate.interval) },
    deadline,
    maxDeliveries: policy.transaction.maxDeliveries,
    joinsTrace: policy.transaction.trace === "parent",
    grace: Duration.toMillis(policy.shutdown.grace),
    close: Duration.toMillis(policy.shutdown.close),
    single: input.single
  }
}

/** What a codec's services need is in the run's context; without any, the answer is an `Exit` and stays one. */
const within = (
  context: Context.Context<never>,
  codec: (u: unknown) => Effect.Effect<unknown, unknown, unknown>
) =>
(u: unknown): Effect.Effect<unknown, unknown> => {
  const effect = codec(u)
  if (Exit.isExit(effect)) return effect
  return Effect.provideContext(effect, context as Context.Context<unknown>)
}

const compileDecoder = (
  context: Context.Context<never>,
  payload: Schema.Constraint,
  source: SourceService
): Decoder => {
  const { decode, explain } = decoder(payload, source.format)
  return { decode: within(context, decode), explain: within(context, explain) }
}

/** Results and settlements in one database transaction: one sink, on the database of the source, and no `onSuccess`. */
const joinCommit = (
  definition: Definition,
  source: SourceService,
  sinks: ReadonlyArray<SinkService>
): Commit | undefined =>
  source.commit !== undefined && sinks.length === 1 && definition.onSuccess === undefined &&
    sinks[0]!.database === source.commit.database
    ? source.commit
    : undefined

const deadLetterPlan = (definition: Definition, service: SinkService | undefined): DeadLetterPlan => {
  if (service !== undefined) {
    const id = definition.deadLetter === undefined || definition.deadLetter === "discard"
      ? ""
      : definition.deadLetter.id
    const encode = encoder(DeadLetter, service.format)
    return {
      _tag: "sink",
      id,
      service,
      encode: (letter) => {
        const exit = encode(letter)
        return Exit.isExit(exit) && Exit.isFailure(exit) ? encode(portable(letter)) : exit
      }
    }
  }
  if (definition.deadLetter === "discard") return { _tag: "discard" }
  // A producer that gives something up has nowhere to keep it: the run fails and names it.
  return { _tag: definition.from._tag === "stream" ? "nowhere" : "source" }
}

/** The payload of a letter as JSON as far as it goes: of a native payload a readable trace is better than none. */
const portable = (letter: DeadLetter): DeadLetter => {
  let payload: unknown
  try {
    payload = JSON.parse(JSON.stringify(letter.payload)) as unknown
  } catch {
    payload = format(letter.payload)
  }
  return new DeadLetter({ ...letter, payload: payload ?? null }, { disableChecks: true })
}

/**
 * What a task will do, as plain data, without running or connecting anything: its source, its steps, its sinks, the
 * guarantee, the policy in force with where each value comes from, and how long things can take at the most.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Schema from "effect/Schema"
import type { Step as StepName } from "./Failure.ts"
import { describe } from "./internal/outline/describe.ts"
import { toMermaid as draw } from "./internal/outline/mermaid.ts"
import { durationText } from "./internal/policy/field.ts"
import type * as Policy from "./Policy.ts"
import type { Any } from "./Task.ts"

/**
 * A source or a sink: the id of its key, and the name of its payload's schema where it has one (a `Schema.Class`, or an
 * `identifier`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Connector {
  readonly id: string
  readonly payload: string | undefined
}

/**
 * Where goes what failed for good: to a sink, to the source's own dead letters, nowhere because the task says that
 * failures may be dropped, or nowhere because a producer has no such place: then the run fails and names them. A program
 * has none.
 *
 * **Gotchas**
 * Whether a source keeps dead letters is known when it is connected: a run whose source keeps none is refused then.
 *
 * @category models
 * @since 0.1.0
 */
export type DeadLetters =
  | { readonly _tag: "sink"; readonly id: string }
  | { readonly _tag: "source" }
  | { readonly _tag: "discarded" }
  | { readonly _tag: "none" }

/**
 * Whether transactions of one key run one after another: by the key of the source (`loop.ordering`), or by the task's
 * own (`Task.orderBy`).
 *
 * @category models
 * @since 0.1.0
 */
export type Ordering = "none" | "bySource" | "byTask"

/**
 * The longest that something can take.
 *
 * **Details**
 * - `time`: `Duration.infinity` where there is no bound.
 * - `formula`: how it follows from the policy, in the names of its fields, and of steps and other worst cases.
 * - `missing`: where there is no bound, the fields any one of which would be one; else empty.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bound {
  readonly time: Duration.Duration
  readonly formula: string
  readonly missing: ReadonlyArray<string>
}

/**
 * A step that the task has, in words, and the longest that it can take. A decode step has no bound of its own: a schema
 * answers at once, or is cut by the deadline.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly name: Exclude<StepName, "fetch">
  readonly runs: string
  readonly worst: Bound | undefined
}

/**
 * The longest that a run's parts can take. `undefined` is what such a task does not have: a program has no transactions,
 * a producer and a run that ends at an empty fetch wait for no first delivery.
 *
 * **Details**
 * The formulas, in the fields of the policy:
 *
 * - `work`, from decode to the start of exception or settle: `transaction.timeout`, or less when process, dispatch and
 *   success cannot take so long. Process and success take `maxAttempts` timeouts and the sum of `Policy.delays`; dispatch
 *   takes until the deadline, as does process when `Task.decide` may name waits of its own.
 * - `transaction`, until it is settled: `work`; then `exception.retry.maxAttempts` times `exception.timeout` and the
 *   waits between for `Task.onFailure`; then twice `exception.timeout` for a dead-letter sink; then `transaction.timeout`
 *   and twice `settle.timeout` at the source.
 * - `deliveries`, over all redeliveries: `transaction.maxDeliveries` + 1 times `transaction`, and the dead letter and the
 *   settlement of the one that came too often. The time that it waits at its source in between is not in it.
 * - `drain`: `shutdown.grace` and `shutdown.close`.
 * - `firstDelivery`, from when an idle source has it until its work begins: the longest wait between two empty fetches
 *   and `fetch.timeout`. A source that waits inside its fetch is asked without such a wait.
 *
 * **Gotchas**
 * They hold for one transaction by itself, for work that can be interrupted and for finalizers and schemas that answer
 * at once. Beside others, it waits for the batches that its dead-letter sink and its source have not confirmed yet.
 * Where results and settlement share one database transaction, a commit that is under way at the deadline is waited for:
 * for as long as the shorter one of `dispatch.timeout` and `settle.timeout`. The delay of a requeue that the engine holds
 * for its source is not in them, nor is the time at the source.
 * A dead letter that its sink does not take comes again until it does.
 *
 * @category models
 * @since 0.1.0
 */
export interface WorstCase {
  readonly work: Bound | undefined
  readonly transaction: Bound | undefined
  readonly deliveries: Bound | undefined
  readonly drain: Bound
  readonly firstDelivery: Bound | undefined
}

/**
 * Where a value of the policy comes from: the task's own code, an environment variable, a flag, the default, or a
 * default that follows from something else.
 *
 * @category models
 * @since 0.1.0
 */
export type Origin =
  | { readonly _tag: "code" }
  | { readonly _tag: "environment"; readonly name: string }
  | { readonly _tag: "flag"; readonly name: string }
  | { readonly _tag: "default" }
  | { readonly _tag: "derived"; readonly from: string }

/**
 * A field of the policy in force. `value` and `default` are text as `Policy.fromStrings` reads it; `none` is no bound.
 *
 * @category models
 * @since 0.1.0
 */
export interface Field {
  readonly path: string
  readonly value: string
  readonly default: string
  readonly origin: Origin
  readonly doc: string
}

/**
 * A task as plain data.
 *
 * **Details**
 * - `source`: of a consumer.
 * - `steps`: those that the task has, in their order.
 * - `decides`: whether errors decide (`Task.decide`).
 * - `policy`: every field that acts on such a task, in the order of `Policy.fields`.
 * - `problems`: what the run would be refused for, as far as it is known without connecting; each a sentence that names
 *   the field, its value and what is valid.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outline {
  readonly name: string
  readonly kind: "consumer" | "producer" | "program"
  readonly guarantee: string
  readonly source: Connector | undefined
  readonly steps: ReadonlyArray<Step>
  readonly sinks: ReadonlyArray<Connector>
  readonly deadLetters: DeadLetters
  readonly ordering: Ordering
  readonly decides: boolean
  readonly worstCase: WorstCase
  readonly policy: ReadonlyArray<Field>
  readonly problems: ReadonlyArray<string>
}

/**
 * What is laid over the policy in code: `environment` first, then `flags`. `flagOf` writes the flag of a field; unless
 * given, it is `--` and the path.
 *
 * @category models
 * @since 0.1.0
 */
export interface Origins {
  readonly environment?: Policy.Input | undefined
  readonly flags?: Policy.Input | undefined
  readonly flagOf?: ((path: string) => string) | undefined
}

/**
 * The outline of a task. Nothing is run and nothing is connected.
 *
 * **Gotchas**
 * Throws a `PolicyError` for values that are not valid. Fields that contradict each other do not throw: `problems` names
 * them, and the rest is told all the same.
 *
 * **Example** (How long an order can take)
 * ```ts import.meta.vitest
 * import { Connector, Outline, Task } from "@ergon/core"
 * import { Duration, Effect, Schema } from "effect"
 *
 * class Order extends Schema.Class<Order>("Order")({ quantity: Schema.Int }) {}
 * class Orders extends Connector.Source<Orders>()("orders", Order) {}
 *
 * const task = Task.consumer("order-processor", Orders, () => Effect.void).pipe(
 *   Task.policy({ process: { timeout: "2 seconds", retry: { maxAttempts: 3, backoff: "1 second" } } })
 * )
 * const outline = Outline.of(task, { environment: { loop: { concurrency: 8 } } })
 * outline.source // => { id: "orders", payload: "Order" }
 * outline.policy.find(({ path }) => path === "loop.concurrency")?.origin
 * // => { _tag: "environment", name: "ERGON_ORDER_PROCESSOR_LOOP_CONCURRENCY" }
 * outline.worstCase.work?.formula // => "process.retry.maxAttempts x process.timeout + process.retry waits"
 * outline.worstCase.work && Duration.toSeconds(outline.worstCase.work.time) // => 8
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const of = (task: Any<unknown, unknown>, origins: Origins = {}): Outline => describe(task, origins)

/**
 * An outline as a Mermaid flowchart: the source, the steps, their retries, the sinks and the dead letters.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toMermaid = (outline: Outline): string => draw(outline)

const boundToJson = (bound: Bound | undefined): Schema.Json =>
  bound === undefined ? null : {
    time: Duration.isFinite(bound.time) ? durationText(bound.time) : null,
    formula: bound.formula,
    missing: bound.missing
  }

const connectorToJson = ({ id, payload }: Connector): Schema.JsonObject => ({ id, payload: payload ?? null })

/**
 * An outline as JSON. Durations are text such as `"30 seconds"`; no bound, and what a task does not have, is `null`.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toJson = (outline: Outline): Schema.JsonObject => {
  const { deadLetters, policy, sinks, source, steps, worstCase, ...rest } = outline
  return {
    ...rest,
    source: source === undefined ? null : connectorToJson(source),
    steps: steps.map(({ name, runs, worst }) => ({ name, runs, worst: boundToJson(worst) })),
    sinks: sinks.map(connectorToJson),
    deadLetters: { ...deadLetters },
    worstCase: {
      work: boundToJson(worstCase.work),
      transaction: boundToJson(worstCase.transaction),
      deliveries: boundToJson(worstCase.deliveries),
      drain: boundToJson(worstCase.drain),
      firstDelivery: boundToJson(worstCase.firstDelivery)
    },
    policy: policy.map((field) => ({ ...field, origin: { ...field.origin } }))
  }
}

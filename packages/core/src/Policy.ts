/**
 * How a task runs: concurrency, batches, retries, timeouts, limits. A policy is plain data; each field is described
 * once, and from that description come its type, its bounds, its reading from code, JSON and environment variables, and
 * the reference page.
 *
 * @since 0.1.0
 */
import type * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import { withRetry, withTimeout } from "./internal/policy/apply.ts"
import { decide, decideRetry, decideStep, inputOf } from "./internal/policy/decide.ts"
import { type Decoded, encode as encodeTree, mergeTree, readTree } from "./internal/policy/decode.ts"
import { type Description, description } from "./internal/policy/description.ts"
import { prefixOf, variables, variablesOf } from "./internal/policy/environment.ts"
import type { Effective, InputOf } from "./internal/policy/field.ts"
import { allDelays, toSchedule } from "./internal/policy/schedule.ts"
import { byPath, leaves, readStrings, variableOf } from "./internal/policy/strings.ts"
import { AttemptTimeout, PolicyError } from "./PolicyError.ts"

/**
 * A policy with every field decided: what a task runs under.
 *
 * **Details**
 * No bound is `Infinity` for counts and `Duration.infinity` for durations. `loop.rate` is `undefined` when there is
 * none, and `fetch.batch.size` while it follows `loop.concurrency`. An effective policy is a valid `Input`:
 * `Policy.make(policy)` gives an equal one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy extends Effective<Description> {}

/**
 * A policy as code writes it: everything may be left out, at any depth, and `undefined` is the same as left out.
 *
 * **Details**
 * Durations are `Duration.Input` (a bare number is milliseconds). `null` means no bound, where there may be none:
 * `{ transaction: { timeout: null } }` switches the deadline of 60 seconds off.
 *
 * @category models
 * @since 0.1.0
 */
export interface Input extends InputOf<Description> {}

/**
 * Retries and timeout of one step.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepPolicy extends Effective<Description["process"]> {}

/**
 * Retries and timeout of one step as code writes them.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepInput extends InputOf<Description["process"]> {}

/**
 * How often, and after which delays, something is tried again.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryPolicy extends Effective<Description["process"]["retry"]> {}

/**
 * The same as code writes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryInput extends InputOf<Description["process"]["retry"]> {}

// What is wrong with a policy, and what an attempt that takes too long fails with.
export { AttemptTimeout, PolicyError } from "./PolicyError.ts"

/**
 * Decides every field that `input` leaves out.
 *
 * **Gotchas**
 * Throws a `PolicyError` that lists everything that is wrong: values out of their bounds, fields that do not exist (with
 * the one that was probably meant), and fields that contradict each other.
 *
 * **Example** (Making a policy)
 * ```ts import.meta.vitest
 * import { Policy } from "@ergon/core"
 * import { Duration } from "effect"
 *
 * const policy = Policy.make({
 *   loop: { concurrency: 5 },
 *   process: { retry: { maxAttempts: 3, backoff: "1 second" } }
 * })
 * policy.process.retry.maxAttempts // => 3
 * Duration.toSeconds(policy.transaction.timeout) // => 60
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: Input = {}): Policy => {
  const policy = decide(input, "code")
  if (policy instanceof PolicyError) throw policy
  return policy
}

/**
 * The policy of a task that says nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const defaults: Policy = make()

const asInput = (decoded: Decoded): Effect.Effect<Input, PolicyError> => {
  const input = inputOf(decoded)
  return input instanceof PolicyError ? Effect.fail(input) : Effect.succeed(input)
}

/**
 * Reads a policy from JSON. A bare number of a duration is seconds; `null` (or `"none"`) is no bound where there may be
 * none. Fails with a `PolicyError` that lists everything that is wrong.
 *
 * **Example** (Reading JSON)
 * ```ts import.meta.vitest
 * import { Policy } from "@ergon/core"
 * import { Duration, Effect } from "effect"
 *
 * const policy = Effect.runSync(Policy.decode({ process: { timeout: 2 }, transaction: { timeout: null } }))
 * Duration.toMillis(policy.process.timeout) // => 2000
 * Duration.isFinite(policy.transaction.timeout) // => false
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (json: unknown): Effect.Effect<Policy, PolicyError> =>
  Effect.suspend(() => {
    const policy = decide(json, "json")
    return policy instanceof PolicyError ? Effect.fail(policy) : Effect.succeed(policy)
  })

/**
 * Reads JSON as an input that can be laid over another one with `merge`: the same as `decode`, before what is left out
 * is decided.
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromJson = (json: unknown): Effect.Effect<Input, PolicyError> =>
  Effect.suspend(() => asInput(readTree(description, json, "json")))

/**
 * A policy as JSON that `decode` reads back as the same policy. Durations are text such as `"30 seconds"`, no bound is
 * `null`.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (policy: Policy): Schema.JsonObject => encodeTree(policy)

/**
 * Reads fields given as text by their paths, as command-line flags do. Text is trimmed, words may be in any case, a bare
 * number of a duration is seconds, blank is the default and `none` (or `null`) is no bound where there may be none.
 * Fails with a `PolicyError` that lists everything that is wrong.
 *
 * **Example** (Reading flags)
 * ```ts import.meta.vitest
 * import { Policy } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * const input = Effect.runSync(Policy.fromStrings({ "loop.streaming": "yes", "loop.rate": "100/second" }))
 * Policy.make(input).loop.rate?.limit // => 100
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromStrings = (
  strings: { readonly [path: string]: string | undefined }
): Effect.Effect<Input, PolicyError> =>
  Effect.suspend(() => {
    const given = Object.entries(strings).map(([path, text]) => [path, text ?? ""] as const)
    return asInput(readStrings(given, byPath, ""))
  })

/**
 * Which names under the prefix of a task are not a misspelt field.
 *
 * **Details**
 * - `tasks`: the other tasks of the program. `ERGON_ORDERS_EU_...` belongs to `orders-eu` and not to `orders`.
 * - `known`: further variables, by their whole names.
 *
 * @category models
 * @since 0.1.0
 */
export interface EnvironmentOptions {
  readonly tasks?: ReadonlyArray<string> | undefined
  readonly known?: ReadonlyArray<string> | undefined
}

/**
 * Reads the environment variables of a task, through the `ConfigProvider`, as an input to lay over the one in code.
 *
 * **Details**
 * The variable of `process.retry.maxAttempts` of the task `order-processor` is
 * `ERGON_ORDER_PROCESSOR_PROCESS_RETRY_MAX_ATTEMPTS`: the name of the task in upper case, everything but letters and
 * digits as `_`. Values are read as by `fromStrings`. Where the provider can list its names, as the process's
 * environment can, a name under the prefix that is no field is an error that names the nearest one.
 *
 * Fails with a `PolicyError` that lists everything that is wrong, and with the provider's own `SourceError`.
 *
 * **Example** (The environment over the code)
 * ```ts import.meta.vitest
 * import { Policy } from "@ergon/core"
 * import { ConfigProvider, Effect } from "effect"
 *
 * const environment = ConfigProvider.fromEnv({ env: { ERGON_ORDERS_LOOP_CONCURRENCY: "8" } })
 * const policy = Policy.fromConfig("orders").pipe(
 *   Effect.map((overlay) => Policy.make(Policy.merge({ loop: { concurrency: 2, limit: 100 } }, overlay))),
 *   Effect.provideService(ConfigProvider.ConfigProvider, environment)
 * )
 * const { loop } = Effect.runSync(policy)
 * loop.concurrency // => 8
 * loop.limit // => 100
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const fromConfig = (
  task: string,
  options: EnvironmentOptions = {}
): Effect.Effect<Input, PolicyError | ConfigProvider.SourceError> =>
  Effect.flatMap(variables(task, options), (given) => asInput(readStrings(given, variablesOf(task), prefixOf(task))))

/**
 * Lays inputs over each other, field by field: later ones win, and `undefined` lets the earlier one through.
 *
 * **Example** (Laying one input over another)
 * ```ts import.meta.vitest
 * import { Policy } from "@ergon/core"
 *
 * const merged = Policy.merge({ loop: { concurrency: 2, limit: 10 } }, { loop: { concurrency: 4, limit: undefined } })
 * merged.loop // => { concurrency: 4, limit: 10 }
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const merge = (...inputs: ReadonlyArray<Input | undefined>): Input =>
  inputs.reduce<Input>((earlier, later) => mergeTree(description, earlier, later) as Input, {})

/**
 * The policy that the running task runs under, as a reference that can be provided. Outside a task it is the defaults.
 *
 * @category services
 * @since 0.1.0
 */
export const Current: Context.Reference<Policy> = Context.Reference<Policy>("@ergon/core/Policy/Current", {
  defaultValue: () => defaults
})

/**
 * The policy that the running task was started with; outside a task, the defaults. What `Control` has changed since is
 * not in it.
 *
 * @category services
 * @since 0.1.0
 */
export const current: Effect.Effect<Policy> = Effect.service(Current)

/**
 * One field of the policy, described.
 *
 * **Details**
 * `path` is where it stands in the policy; `variable` is what follows `ERGON_<TASK>_` in the name of its environment
 * variable; `default` and `bounds` are text; `unit` is empty where there is none.
 *
 * @category models
 * @since 0.1.0
 */
export interface Field {
  readonly path: string
  readonly kind: "integer" | "number" | "boolean" | "word" | "duration" | "rate"
  readonly default: string
  readonly bounds: string
  readonly unit: string
  readonly doc: string
  readonly variable: string
}

/**
 * All fields of the policy, in their order: what flags, forms and the reference page are made from.
 *
 * @category models
 * @since 0.1.0
 */
export const fields: ReadonlyArray<Field> = leaves.map(({ leaf, path }) => ({
  path: path.join("."),
  kind: leaf.kind,
  default: leaf.defaultText,
  bounds: leaf.bounds,
  unit: leaf.unit,
  doc: leaf.doc,
  variable: variableOf(path)
}))

/**
 * The delays between the attempts of a retry policy, in milliseconds: the upper bounds where there is jitter.
 *
 * **Details**
 * The delay before attempt n + 1 is `min(cap, backoff * multiplier^(n - 1))`. Their sum is the most that all waits
 * together can take. Throws a `PolicyError` when the input is not valid.
 *
 * **Example** (Capping the delay)
 * ```ts import.meta.vitest
 * import { Policy } from "@ergon/core"
 *
 * Policy.delays({ maxAttempts: 4, backoff: "1 second", multiplier: 2, cap: "3 seconds" }) // => [1000, 2000, 3000]
 * ```
 *
 * @category schedules
 * @since 0.1.0
 */
export const delays = (retry: RetryInput): ReadonlyArray<number> => allDelays(decideRetry(retry))

/**
 * A retry policy as a `Schedule`, for whatever takes one. It ends after `maxAttempts - 1` repetitions and puts out the
 * number of the attempt that comes next. Throws a `PolicyError` when the input is not valid.
 *
 * @category schedules
 * @since 0.1.0
 */
export const schedule = (retry: RetryInput): Schedule.Schedule<number> => toSchedule(decideRetry(retry))

/**
 * Runs an operation of a service under a policy: with retries, a timeout for each attempt, and a span of the name given.
 *
 * **Details**
 * - Typed errors are tried again; defects and interruptions are not, nor what `Decision.nonRetryable` failed with, nor a
 *   connector's error whose reason is not retryable. A connector that asks to be left alone for a while is.
 * - An attempt that takes too long is interrupted and fails with `AttemptTimeout`, which is tried again like a typed
 *   error. What is uninterruptible ends first.
 * - The span carries the number of the latest attempt as `ergon.attempt` when there may be more than one.
 * - Worst case: `maxAttempts` timeouts and the sum of `Policy.delays`.
 *
 * **Gotchas**
 * An attempt that timed out may have taken effect: make the operation idempotent. Throws a `PolicyError`, before
 * anything runs, when the policy is not valid.
 *
 * **Example** (A call that fails once)
 * ```ts import.meta.vitest
 * import { Policy } from "@ergon/core"
 * import { Effect } from "effect"
 *
 * let calls = 0
 * const reserve = Effect.suspend(() => ++calls === 1 ? Effect.fail("busy") : Effect.succeed("reserved"))
 * const reliable = Policy.apply(reserve, { retry: { maxAttempts: 3 }, timeout: "2 seconds" }, "Inventory.reserve")
 * await Effect.runPromise(reliable) // => "reserved"
 * calls // => 2
 * ```
 *
 * @category execution
 * @since 0.1.0
 */
export const apply: {
  (policy: StepInput, operation: string): <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | AttemptTimeout, Exclude<R, Tracer.ParentSpan>>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    policy: StepInput,
    operation: string
  ): Effect.Effect<A, E | AttemptTimeout, Exclude<R, Tracer.ParentSpan>>
} = dual(
  3,
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    policy: StepInput,
    operation: string
  ): Effect.Effect<A, E | AttemptTimeout, Exclude<R, Tracer.ParentSpan>> => {
    const { retry, timeout } = decideStep(policy)
    return withTimeout(self, timeout, () => new AttemptTimeout({ operation, timeout })).pipe(
      (attempt) => withRetry(attempt, retry),
      Effect.withSpan(operation, undefined, { captureStackTrace: false })
    )
  }
)

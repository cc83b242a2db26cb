/**
 * What a task promises, as far as it can be watched: its policy in numbers, read from its definition and not from the
 * engine's own plan, so that a plan that is wrong is seen.
 */
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type { Capabilities } from "../../Connector.ts"
import { decoder } from "../../internal/codec.ts"
import type { Definition } from "../../internal/definition.ts"
import { policyOf } from "../../internal/engine/run.ts"
import type { RetryPolicy } from "../../Policy.ts"

export interface Facts {
  readonly task: string
  readonly producer: boolean
  readonly mode: "batch" | "continuous"
  readonly streaming: boolean
  readonly concurrency: number
  readonly limit: number
  readonly loopTimeout: number
  readonly rate: { readonly limit: number; readonly interval: number } | undefined
  readonly lanes: boolean
  readonly orderBy: Definition["orderBy"]
  readonly batchSize: number
  readonly process: { readonly retry: RetryPolicy; readonly timeout: number }
  readonly successAttempts: number
  readonly exceptionAttempts: number
  readonly sinks: ReadonlyArray<string>
  readonly hasSuccess: boolean
  readonly deadLetters: "sink" | "discard" | "nowhere" | "source"
  readonly maxDeliveries: number
  readonly deadline: number
  readonly grace: number
  readonly close: number
}

export const factsOf = (definition: Definition): Facts => {
  const policy = policyOf(definition)
  return {
    task: definition.name,
    producer: definition.from._tag === "stream",
    mode: policy.loop.mode,
    streaming: policy.loop.streaming,
    concurrency: policy.loop.concurrency,
    limit: policy.loop.limit,
    loopTimeout: Duration.toMillis(policy.loop.timeout),
    rate: policy.loop.rate === undefined
      ? undefined
      : { limit: policy.loop.rate.limit, interval: Duration.toMillis(policy.loop.rate.interval) },
    lanes: policy.loop.ordering === "byKey" || definition.orderBy !== undefined,
    orderBy: definition.orderBy,
    batchSize: policy.fetch.batch.size ?? (policy.loop.mode === "batch" ? 1 : 4) * policy.loop.concurrency,
    process: { retry: policy.process.retry, timeout: Duration.toMillis(policy.process.timeout) },
    successAttempts: policy.success.retry.maxAttempts,
    exceptionAttempts: policy.exception.retry.maxAttempts,
    sinks: definition.sinks.map((sink) => sink.key.id),
    hasSuccess: definition.onSuccess !== undefined,
    deadLetters: definition.deadLetter === "discard"
      ? "discard"
      : definition.deadLetter !== undefined
      ? "sink"
      : definition.from._tag === "stream"
      ? "nowhere"
      : "source",
    maxDeliveries: policy.transaction.maxDeliveries,
    deadline: Duration.toMillis(policy.transaction.timeout),
    grace: Duration.toMillis(policy.shutdown.grace),
    close: Duration.toMillis(policy.shutdown.close)
  }
}

/** The delay before the attempt after this one, without jitter: min(cap, backoff x multiplier^(n-1)). */
export const backoff = (retry: RetryPolicy, attempt: number): number => {
  const cap = Duration.toMillis(retry.cap)
  let delay = Duration.toMillis(retry.backoff)
  for (let n = 1; n < attempt && delay < cap; n++) delay *= retry.multiplier
  return Math.min(cap, delay)
}

/** Whether a requeue stays with the engine: what goes back to the source would lose its place there. */
export const keepsRequeues = (facts: Facts, { ordering, settlement }: Capabilities): boolean =>
  facts.lanes || settlement !== "each" || ordering === "total"

/** Whether a payload fits the schema of the source, and whether the schema answers at once; `undefined` when it waits. */
export const fits = (definition: Definition, format: "json" | "strings" | "native", payload: unknown) => {
  if (definition.from._tag === "stream") return true
  try {
    const decoded = decoder(definition.from.key.payload, format).decode(payload)
    return Exit.isExit(decoded) ? Exit.isSuccess(decoded) : undefined
  } catch {
    return false
  }
}

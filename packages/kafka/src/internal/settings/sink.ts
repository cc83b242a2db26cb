/**
 * The options of sinks: their schema and defaults.
 */
import type { Transaction } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SetupError } from "../../SetupError.ts"
import { check, duration, flag, fn, integer, millis, topic } from "./check.ts"

type KeyOf = (transaction: Transaction.Transaction<unknown>) => string | undefined

const all = Schema.declare((u): u is "all" => u === "all", {
  expected: "\"all\": with fewer acknowledgements a confirmed message can be lost"
})

const publishing = {
  acks: Schema.optional(all),
  idempotent: Schema.optional(flag),
  compression: Schema.optional(Schema.Literals(["none", "gzip", "snappy", "lz4", "zstd"])),
  maxMessage: Schema.optional(integer(1, 1_073_741_824)),
  timeout: Schema.optional(duration(100))
}

const SinkOptions = Schema.Struct({
  ...publishing,
  topic: Schema.optional(topic),
  key: Schema.optional(fn<KeyOf>()),
  delay: Schema.optional(duration(0))
})

const LettersOptions = Schema.Struct({
  ...publishing,
  topic: Schema.optional(topic),
  retry: Schema.optional(Schema.Array(Schema.Struct({ topic, delay: duration(0) })))
})

/** How messages are published. `timeout` in milliseconds, `maxMessage` in bytes. */
export interface PublishSettings {
  readonly what: string
  readonly idempotent: boolean
  readonly compression: "none" | "gzip" | "snappy" | "lz4" | "zstd"
  readonly maxMessage: number
  readonly timeout: number
}

export interface SinkSettings extends PublishSettings {
  readonly topic: string
  readonly key: KeyOf | undefined
  readonly delay: number
}

export interface LettersSettings extends PublishSettings {
  readonly topic: string
  readonly retry: ReadonlyArray<{ readonly topic: string; readonly delay: number }>
}

type Publishing = Pick<typeof SinkOptions.Type, keyof typeof publishing>

const publishSettings = (what: string, options: Publishing): PublishSettings => ({
  what,
  idempotent: options.idempotent ?? true,
  compression: options.compression ?? "none",
  maxMessage: options.maxMessage ?? 1_000_000,
  timeout: millis(options.timeout ?? "30 seconds")
})

const namesTopic = (keyId: string) => (options: { readonly topic?: string | undefined }): ReadonlyArray<string> =>
  options.topic === undefined && !/^[\w.-]{1,249}$/.test(keyId)
    ? [`topic is missing, and the id of the key, ${JSON.stringify(keyId)}, is no name of a topic`]
    : []

export const sinkSettings = (
  connector: string,
  keyId: string,
  input: unknown
): Effect.Effect<SinkSettings, SetupError> => {
  const what = `${connector} "${keyId}"`
  return Effect.map(check(what, SinkOptions, input, namesTopic(keyId)), (options) => ({
    ...publishSettings(what, options),
    topic: options.topic ?? keyId,
    key: options.key,
    delay: options.delay === undefined ? 0 : millis(options.delay)
  }))
}

export const lettersSettings = (keyId: string, input: unknown): Effect.Effect<LettersSettings, SetupError> => {
  const what = `Kafka.deadLetters "${keyId}"`
  const further = (options: typeof LettersOptions.Type): ReadonlyArray<string> => {
    const found = [...namesTopic(keyId)(options)]
    if (options.retry?.some((one) => one.topic === (options.topic ?? keyId))) {
      found.push("retry names the topic of the dead letters: what waits there would be taken for a dead letter")
    }
    return found
  }
  return Effect.map(check(what, LettersOptions, input, further), (options) => ({
    ...publishSettings(what, options),
    topic: options.topic ?? keyId,
    retry: (options.retry ?? []).map(({ delay, topic }) => ({ topic, delay: millis(delay) }))
  }))
}

/**
 * The options of a source: their schema, defaults, and what cannot be together.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SetupError } from "../../SetupError.ts"
import { check, duration, integer, millis, name, topic } from "./check.ts"

/** Where the id of a transaction comes from. */
export type IdFrom = "position" | "key" | { readonly header: string }

const Options = Schema.Struct({
  topics: Schema.optional(Schema.Union([topic, Schema.Array(topic)])),
  group: name,
  start: Schema.optional(Schema.Literals(["earliest", "latest", "fail"])),
  id: Schema.optional(
    Schema.Union([Schema.Literals(["position", "key"]), Schema.Struct({ header: Schema.NonEmptyString })])
  ),
  order: Schema.optional(Schema.Literals(["key", "partition"])),
  isolation: Schema.optional(Schema.Literals(["read_committed", "read_uncommitted"])),
  instanceId: Schema.optional(name),
  session: Schema.optional(duration(500)),
  heartbeat: Schema.optional(duration(50)),
  rebalance: Schema.optional(duration(500)),
  drain: Schema.optional(duration(0)),
  highWaterMark: Schema.optional(integer(1, 1_000_000)),
  maxBytes: Schema.optional(integer(1024, 1_073_741_824)),
  maxWait: Schema.optional(duration(10)),
  watch: Schema.optional(duration(200))
})

/** Times in milliseconds. `highWaterMark`: messages, by the largest fetch unless given. */
export interface SourceSettings {
  readonly what: string
  readonly topics: ReadonlyArray<string>
  readonly group: string
  readonly start: "earliest" | "latest" | "fail"
  readonly id: IdFrom
  readonly order: "key" | "partition"
  readonly isolation: "read_committed" | "read_uncommitted"
  readonly instanceId: string | undefined
  readonly session: number
  readonly heartbeat: number
  readonly rebalance: number
  readonly drain: number
  readonly highWaterMark: number | undefined
  readonly maxBytes: number
  readonly maxWait: number
  readonly watch: number
}

const topicsOf = (given: typeof Options.Type.topics, keyId: string): ReadonlyArray<string> =>
  given === undefined ? [keyId] : typeof given === "string" ? [given] : given

const times = (options: typeof Options.Type) => {
  const session = millis(options.session ?? "45 seconds")
  return {
    session,
    heartbeat: millis(options.heartbeat ?? Math.min(3000, Math.max(50, session / 5))),
    rebalance: millis(options.rebalance ?? Math.max(60_000, session)),
    drain: millis(options.drain ?? Math.min(20_000, session / 3))
  }
}

const problems = (keyId: string) => (options: typeof Options.Type): ReadonlyArray<string> => {
  const found: Array<string> = []
  const topics = topicsOf(options.topics, keyId)
  if (topics.length === 0) found.push("topics is empty: expected at least one topic")
  const twice = topics.find((one, index) => topics.indexOf(one) !== index)
  if (twice !== undefined) found.push(`topics has ${JSON.stringify(twice)} twice: its messages would be counted twice`)
  if (options.topics === undefined && !/^[\w.-]{1,249}$/.test(keyId)) {
    found.push(`topics is missing, and the id of the key, ${JSON.stringify(keyId)}, is no name of a topic`)
  }
  const { drain, heartbeat, rebalance, session } = times(options)
  if (heartbeat * 3 > session) {
    found.push(`heartbeat is ${heartbeat} ms: expected at most a third of session (${session} ms)`)
  }
  if (drain + heartbeat >= session) {
    found.push(`drain is ${drain} ms: with heartbeat (${heartbeat} ms) it must be shorter than session (${session} ms)`)
  }
  if (drain + heartbeat >= rebalance) {
    found.push(
      `drain is ${drain} ms: with heartbeat (${heartbeat} ms) it must be shorter than rebalance (${rebalance} ms)`
    )
  }
  return found
}

export const sourceSettings = (
  connector: string,
  keyId: string,
  input: unknown
): Effect.Effect<SourceSettings, SetupError> => {
  const what = `${connector} "${keyId}"`
  return Effect.map(check(what, Options, input, problems(keyId)), (options) => ({
    what,
    topics: topicsOf(options.topics, keyId),
    group: options.group,
    start: options.start ?? "earliest",
    id: options.id ?? { header: "ergon-id" },
    order: options.order ?? "key",
    isolation: options.isolation ?? "read_committed",
    instanceId: options.instanceId,
    ...times(options),
    highWaterMark: options.highWaterMark,
    maxBytes: options.maxBytes ?? 1_048_576,
    maxWait: millis(options.maxWait ?? "500 millis"),
    watch: millis(options.watch ?? "10 seconds")
  }))
}

/**
 * What a raw value stands for. Three dialects: `code` (a bare number is milliseconds, as everywhere in Effect), `json`
 * (a bare number is seconds) and `text` (environment variables and flags: trimmed, words in any case, a bare number is
 * seconds). Bounds are not checked here.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

export type Dialect = "code" | "json" | "text"

/** A value that was understood; `undefined` in its place is one that was not. */
export interface Understood<out A> {
  readonly value: A
}

const understood = <A>(value: A): Understood<A> => ({ value })

const numberOnly = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/
const amount = /^(-?\d+(?:\.\d+)?)\s*([a-zµ]+)$/
const perInterval = /^(-?\d+(?:\.\d+)?)\s*(?:\/|per\b)\s*(.+)$/

const units = {
  nanos: ["ns", "nano", "nanosecond", "nanoseconds"],
  micros: ["us", "µs", "micro", "microsecond", "microseconds"],
  millis: ["ms", "milli", "millisecond", "milliseconds"],
  seconds: ["s", "sec", "secs", "second"],
  minutes: ["m", "min", "mins", "minute"],
  hours: ["h", "hour"],
  days: ["d", "day"],
  weeks: ["w", "week"]
} as const

type Unit = keyof typeof units

const unitOf: ReadonlyMap<string, Unit> = new Map(
  Object.entries(units).flatMap(([unit, names]) => [unit, ...names].map((name) => [name, unit as Unit]))
)

const partsOfDuration: ReadonlySet<string> = new Set([
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds"
])

const clean = (text: string): string => text.trim().toLowerCase()

/** Whether the raw value says that there is no bound. */
export const isNone = (raw: unknown, dialect: Dialect): boolean =>
  raw === null || dialect !== "code" && typeof raw === "string" && (clean(raw) === "none" || clean(raw) === "null")

export const readNumber = (raw: unknown, dialect: Dialect): Understood<number> | undefined => {
  if (dialect !== "text") return typeof raw === "number" && !Number.isNaN(raw) ? understood(raw) : undefined
  return typeof raw === "string" && numberOnly.test(clean(raw)) ? understood(Number(clean(raw))) : undefined
}

export const readBoolean = (raw: unknown, dialect: Dialect): Understood<boolean> | undefined => {
  if (dialect !== "text") return typeof raw === "boolean" ? understood(raw) : undefined
  switch (typeof raw === "string" ? clean(raw) : raw) {
    case "1":
    case "true":
    case "yes":
    case "on":
      return understood(true)
    case "0":
    case "false":
    case "no":
    case "off":
      return understood(false)
    default:
      return undefined
  }
}

export const readWord =
  <W extends string>(words: ReadonlyArray<W>) => (raw: unknown, dialect: Dialect): Understood<W> | undefined => {
    const wanted = dialect === "text" && typeof raw === "string" ? clean(raw) : raw
    const word = words.find((word) => (dialect === "text" ? word.toLowerCase() : word) === wanted)
    return word === undefined ? undefined : understood(word)
  }

// Decimals are read as decimals: 1.001 seconds are 1001 ms, not 1000.9999999999999.
const durationOf = (count: string, unit: Unit): Duration.Duration | undefined =>
  Option.getOrUndefined(Duration.fromInput(`${count as `${number}`} ${unit}`))

const durationFromText = (text: string): Duration.Duration | undefined => {
  const [, count, name] = amount.exec(clean(text)) ?? []
  const unit = name === undefined ? undefined : unitOf.get(name)
  return count === undefined || unit === undefined ? undefined : durationOf(count, unit)
}

const isParts = (raw: object): boolean =>
  Object.keys(raw).length > 0 &&
  Object.entries(raw).every(([key, value]) =>
    partsOfDuration.has(key) && (value === undefined || typeof value === "number" && !Number.isNaN(value))
  )

const isPair = (raw: unknown): boolean =>
  Array.isArray(raw) && raw.length === 2 && raw.every((part) => typeof part === "number" && !Number.isNaN(part))

/** Whatever `Duration.Input` allows; a misspelt part is not a duration of 0. */
const isDurationInput = (raw: unknown): raw is Duration.Input =>
  Duration.isDuration(raw) || typeof raw === "bigint" || raw === "Infinity" ||
  typeof raw === "number" && !Number.isNaN(raw) ||
  (Array.isArray(raw) ? isPair(raw) : Predicate.isObject(raw) && isParts(raw))

export const readDuration = (raw: unknown, dialect: Dialect): Understood<Duration.Duration> | undefined => {
  if (dialect === "code" && isDurationInput(raw)) return understood(Duration.fromInputUnsafe(raw))
  if (dialect !== "code") {
    const seconds = readNumber(raw, dialect)
    if (seconds !== undefined) {
      return understood(durationOf(String(seconds.value), "seconds") ?? Duration.seconds(seconds.value))
    }
  }
  const duration = typeof raw === "string" ? durationFromText(raw) : undefined
  return duration === undefined ? undefined : understood(duration)
}

export interface RawRate {
  readonly limit: number
  readonly interval: Duration.Duration
}

/** `100/second`, `100 per 2 seconds`, or `{ limit, interval }`. */
export const readRate = (raw: unknown, dialect: Dialect): Understood<RawRate> | undefined => {
  if (typeof raw === "string") {
    const [, limit, rest] = perInterval.exec(clean(raw)) ?? []
    if (limit === undefined || rest === undefined) return undefined
    const interval = durationFromText(/^[a-zµ]/.test(rest) ? `1 ${rest}` : rest)
    return interval === undefined ? undefined : understood({ limit: Number(limit), interval })
  }
  if (dialect === "text" || !Predicate.isObject(raw)) return undefined
  if (Object.keys(raw).some((key) => key !== "limit" && key !== "interval")) return undefined
  const { interval, limit } = raw as { readonly limit?: unknown; readonly interval?: unknown }
  const count = readNumber(limit, dialect)
  const window = readDuration(interval, dialect)
  return count === undefined || window === undefined
    ? undefined
    : understood({ limit: count.value, interval: window.value })
}

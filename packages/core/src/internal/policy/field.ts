/**
 * One field of the policy, described once: what it is, its default, its bounds, its unit and a line of doc. Types,
 * decoders, error texts, environment variables and the reference page all come from here.
 *
 * "No bound" is `Infinity` for counts and `Duration.infinity` for durations, so that an effective policy is itself a
 * valid input. What is off altogether, as `loop.rate`, is `undefined`.
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { type Dialect, readBoolean, readDuration, readNumber, readRate, readWord, type Understood } from "./read.ts"

/** At most `limit` transactions in any window of `interval`. */
export interface Rate {
  readonly limit: number
  readonly interval: Duration.Duration
}

/** A rate as code writes it: `"100/second"`, `"100 per 2 seconds"`, or its two parts. */
export type RateInput = string | { readonly limit: number; readonly interval: Duration.Input }

export type Kind = "integer" | "number" | "boolean" | "word" | "duration" | "rate"

/**
 * `A` is the effective value, `I` what code may write for it. The default of a `Derived` field follows from other
 * fields.
 */
export interface Field<A, I, Derived extends boolean = false> {
  readonly _tag: "Field"
  readonly kind: Kind
  readonly derived: Derived
  readonly type: Schema.Schema<A>
  // Whether a value is within the bounds: the guard of `type`, compiled once.
  readonly accepts: (value: unknown) => boolean
  readonly default: A | undefined
  readonly defaultText: string
  // What `none` stands for, where it is valid.
  readonly none: Understood<A> | undefined
  readonly bounds: string
  readonly unit: string
  readonly expected: string
  readonly doc: string
  read(raw: unknown, dialect: Dialect): Understood<A> | undefined
  write(value: A): Schema.Json
  // Only a type: what code may write.
  readonly input?: I
}

export type Leaf = Field<unknown, unknown, boolean>

export interface Tree {
  readonly [key: string]: Leaf | Tree
}

export const isLeaf = (node: Leaf | Tree): node is Leaf => node._tag === "Field"

export interface Named {
  readonly path: ReadonlyArray<string>
  readonly leaf: Leaf
}

/** All fields with their paths, in the order of the description. */
export const leavesOf = (tree: Tree, path: ReadonlyArray<string> = []): ReadonlyArray<Named> =>
  Object.entries(tree).flatMap(([key, node]) =>
    isLeaf(node) ? [{ path: [...path, key], leaf: node }] : leavesOf(node, [...path, key])
  )

/** The effective values of a tree. */
export type Effective<T> = T extends Field<infer A, infer _I, boolean> ? A
  : { readonly [K in keyof T]: Effective<T[K]> }

/** The values of a tree before those that follow from others are known. */
export type Explicit<T> = T extends Field<infer A, infer _I, infer D> ? (D extends true ? A | undefined : A)
  : { readonly [K in keyof T]: Explicit<T[K]> }

/** What code writes: everything may be left out, at any depth. */
export type InputOf<T> = T extends Field<infer _A, infer I, boolean> ? I
  : { readonly [K in keyof T]?: InputOf<T[K]> | undefined }

interface Described<A> {
  readonly default: A
  readonly unit?: string
  readonly doc: string
}

interface Parts<A> extends Described<A> {
  readonly kind: Kind
  readonly type: Schema.Schema<A>
  readonly none?: Understood<A>
  readonly bounds: string
  readonly expected: string
  readonly read: (raw: unknown, dialect: Dialect) => Understood<A> | undefined
  readonly write: (value: A) => Schema.Json
}

const textOf = (json: Schema.Json): string =>
  json === null ? "none" : typeof json === "string" ? json : JSON.stringify(json)

const field = <A, I>(parts: Parts<A>): Field<A, I> => ({
  _tag: "Field",
  kind: parts.kind,
  derived: false,
  type: parts.type,
  accepts: Schema.is(parts.type),
  default: parts.default,
  defaultText: textOf(parts.write(parts.default)),
  none: parts.none,
  bounds: parts.none === undefined ? parts.bounds : `${parts.bounds}, or none`,
  unit: parts.unit ?? "",
  expected: parts.expected,
  doc: parts.doc,
  read: parts.read,
  write: parts.write
})

/** The default follows from other fields: `text` says how, `derive.ts` does it. */
export const derived = <A, I>(text: string, one: Field<A, I>): Field<A, I, true> => ({
  ...one,
  derived: true,
  default: undefined,
  defaultText: text
})

const unbounded = Schema.makeFilter((count: number) => count === Infinity)
const atLeast = (min: number) => Schema.isGreaterThanOrEqualTo(min)

/** An integer of at least `min` (1 unless given). */
export const count = (options: Described<number> & { readonly min?: number }): Field<number, number> => {
  const min = options.min ?? 1
  return field({
    ...options,
    kind: "integer",
    type: Schema.Int.check(atLeast(min)),
    bounds: `at least ${min}`,
    expected: `an integer of at least ${min}`,
    read: readNumber,
    write: (value) => value
  })
}

/** The same; `none` is `Infinity`. */
export const countOrNone = (
  options: Described<number> & { readonly min?: number }
): Field<number, number | null> =>
  field({
    ...count(options),
    default: options.default,
    type: Schema.Union([Schema.Int.check(atLeast(options.min ?? 1)), Schema.Number.check(unbounded)]),
    none: { value: Infinity },
    write: (value) => value === Infinity ? null : value
  })

/** A number of at least 1. */
export const factor = (options: Described<number>): Field<number, number> =>
  field({
    ...options,
    kind: "number",
    type: Schema.Finite.check(atLeast(1)),
    bounds: "at least 1",
    expected: "a number of at least 1",
    read: readNumber,
    write: (value) => value
  })

export const boolean = (options: Described<boolean>): Field<boolean, boolean> =>
  field({
    ...options,
    kind: "boolean",
    type: Schema.Boolean,
    bounds: "true, false",
    expected: "true or false",
    read: readBoolean,
    write: (value) => value
  })

/** One of the words given. */
export const word = <const W extends string>(
  words: ReadonlyArray<W>,
  options: Described<NoInfer<W>>
): Field<W, W> =>
  field({
    ...options,
    kind: "word",
    type: Schema.Literals(words),
    bounds: words.join(", "),
    expected: words.map((word) => `"${word}"`).join(" or "),
    read: readWord(words),
    write: (value) => value
  })

/** How many are fetched ahead: a number of them, or `auto`. */
export const autoOrCount = (options: Described<"auto" | number>): Field<"auto" | number, "auto" | number> => {
  const auto = readWord(["auto"])
  return field({
    ...options,
    kind: "integer",
    type: Schema.Union([Schema.Literal("auto"), Schema.Int.check(atLeast(0))]),
    bounds: "at least 0, or auto",
    expected: `an integer of at least 0, or "auto"`,
    read: (raw, dialect) => auto(raw, dialect) ?? readNumber(raw, dialect),
    write: (value) => value
  })
}

const finite = Schema.makeFilter((duration: Duration.Duration) => Duration.isFinite(duration))
const notNegative = Schema.makeFilter((duration: Duration.Duration) => !Duration.isNegative(duration))
const aboveZero = Schema.makeFilter((duration: Duration.Duration) => Duration.isPositive(duration))

const sizes = [["days", 86_400_000], ["hours", 3_600_000], ["minutes", 60_000], ["seconds", 1000]] as const

/** A duration in the largest unit that leaves no rest: what `readDuration` reads back. */
export const durationText = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  if (!Number.isFinite(millis)) return "none"
  if (millis === 0) return "0 seconds"
  const nanos = Duration.toNanosUnsafe(duration)
  if (nanos % 1_000_000n !== 0n) return `${nanos} nanos`
  const [unit, size] = sizes.find(([, size]) => millis >= size && millis % size === 0) ?? ["millis", 1]
  const amount = millis / size
  return `${amount} ${amount === 1 ? unit.slice(0, -1) : unit}`
}

const writeDuration = (value: Duration.Duration): Schema.Json => Duration.isFinite(value) ? durationText(value) : null

/** A finite duration, 0 included: a wait. */
export const wait = (options: Described<Duration.Duration>): Field<Duration.Duration, Duration.Input> =>
  field({
    ...options,
    kind: "duration",
    type: Schema.Duration.check(finite, notNegative),
    bounds: "at least 0, finite",
    expected: `a finite duration of at least 0, such as "2 seconds"`,
    read: readDuration,
    write: writeDuration
  })

/** A finite duration above 0: the most that something may take. */
export const bound = (options: Described<Duration.Duration>): Field<Duration.Duration, Duration.Input> =>
  field({
    ...options,
    kind: "duration",
    type: Schema.Duration.check(finite, aboveZero),
    bounds: "above 0, finite",
    expected: `a finite duration above 0, such as "30 seconds"`,
    read: readDuration,
    write: writeDuration
  })

/** The same; `none` is `Duration.infinity`. */
export const boundOrNone = (options: Described<Duration.Duration>): Field<Duration.Duration, Duration.Input | null> =>
  field({
    ...options,
    kind: "duration",
    type: Schema.Duration.check(aboveZero),
    none: { value: Duration.infinity },
    bounds: "above 0",
    expected: `a duration above 0, such as "30 seconds"`,
    read: readDuration,
    write: writeDuration
  })

const Rate = Schema.Struct({
  limit: Schema.Int.check(atLeast(1)),
  interval: Schema.Duration.check(finite, aboveZero)
})

/** A rate; `none` is `undefined`. */
export const rateOrNone = (options: Described<undefined>): Field<Rate | undefined, RateInput | null> =>
  field({
    ...options,
    kind: "rate",
    type: Schema.UndefinedOr(Rate),
    none: { value: undefined },
    bounds: "at least 1 per interval above 0",
    expected: `a rate such as "100/second" or { limit: 100, interval: "1 second" }`,
    read: readRate,
    write: (value) => value === undefined ? null : `${value.limit} per ${durationText(value.interval)}`
  })

/** A count that follows another field until it is set: then `undefined`. */
export const countOrUnset = (
  text: string,
  options: { readonly unit?: string; readonly doc: string }
): Field<number | undefined, number | null> => ({
  ...field<number | undefined, number | null>({
    ...count({ ...options, default: 1 }),
    default: undefined,
    type: Schema.UndefinedOr(Schema.Int.check(atLeast(1))),
    none: { value: undefined },
    write: (value) => value ?? null
  }),
  bounds: "at least 1",
  defaultText: text
})

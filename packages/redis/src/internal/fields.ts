/**
 * How options are read: each field says what is valid there, and all problems are told at once. The same description
 * reads values of code and text of the environment.
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SetupError } from "../SetupError.ts"

/** In code, numbers of durations are milliseconds; in text a bare number is seconds. */
export type Dialect = "code" | "text"

export interface Field<A> {
  readonly expected: string
  /** `undefined` for what is not valid. */
  readonly read: (raw: unknown, dialect: Dialect) => A | undefined
  readonly secret: boolean
}

export type Fields = { readonly [name: string]: Field<unknown> }

export type Read<F extends Fields> = {
  readonly [N in keyof F]: (F[N] extends Field<infer A> ? A : never) | undefined
}

const field = <A>(expected: string, read: Field<A>["read"]): Field<A> => ({ expected, read, secret: false })

export const text = (expected: string, accepts: (text: string) => boolean = (text) => text !== ""): Field<string> =>
  field(expected, (raw) => typeof raw === "string" && accepts(raw) ? raw : undefined)

export const secret: Field<Redacted.Redacted<string>> = {
  expected: "a Redacted text that is not empty",
  secret: true,
  read: (raw, dialect) =>
    Redacted.isRedacted(raw)
      ? typeof Redacted.value(raw) === "string" && Redacted.value(raw) !== ""
        ? Redacted.make(String(Redacted.value(raw)))
        : undefined
      : dialect === "text" && typeof raw === "string"
      ? Redacted.make(raw)
      : undefined
}

export const integer = (least: number, most: number): Field<number> =>
  field(`an integer from ${least} to ${most}`, (raw, dialect) => {
    const number = dialect === "text" && typeof raw === "string" ? Number(raw) : raw
    return typeof number === "number" && Number.isInteger(number) && number >= least && number <= most
      ? number
      : undefined
  })

const words: { readonly [word: string]: boolean } = {
  1: true,
  true: true,
  yes: true,
  on: true,
  0: false,
  false: false,
  no: false,
  off: false
}

export const flag: Field<boolean> = field(
  "true or false",
  (raw, dialect) =>
    typeof raw === "boolean"
      ? raw
      : dialect === "text" && typeof raw === "string"
      ? words[raw.toLowerCase()]
      : undefined
)

export const duration = (least: number, most = Infinity): Field<number> =>
  field(
    most === Infinity
      ? `a finite duration of at least ${least} ms`
      : `a duration from ${least} ms to ${most / 1000} s`,
    (raw, dialect) => {
      const input = dialect === "text" && typeof raw === "string" && /^[0-9.]+$/.test(raw) ? Number(raw) * 1000 : raw
      // Whatever it is, what is no duration is none.
      const read = Duration.fromInput(input as Duration.Input)
      const millis = Option.match(read, { onNone: () => NaN, onSome: Duration.toMillis })
      return Number.isFinite(millis) && millis >= least && millis <= most ? Math.ceil(millis) : undefined
    }
  )

export const custom = <A>(expected: string, read: Field<A>["read"]): Field<A> => field(expected, read)

const show = (value: unknown): string => {
  if (Redacted.isRedacted(value)) return "<redacted>"
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}

export interface Input {
  readonly raw: unknown
  /** As whoever reads the problem has to know it: the field, or the variable. */
  readonly name: string
  readonly dialect: Dialect
}

export type Given = ReadonlyMap<string, Input>

/** Reads what was given; pushes what is wrong with it. */
export const readFields = <F extends Fields>(
  fields: F,
  given: Given,
  problems: Array<string>
): Read<F> => {
  const read: Record<string, unknown> = {}
  for (const [key, { dialect, name, raw }] of given) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (field === undefined) {
      problems.push(`${name}: no such field (valid: ${Object.keys(fields).join(", ")})`)
      continue
    }
    const value = field.read(raw, dialect)
    if (value !== undefined) read[key] = value
    else problems.push(
        `${name}: ${field.secret ? "what is given" : show(raw)} is not valid; expected ${field.expected}`
      )
  }
  return read as Read<F>
}

export const givenInCode = (options: object): Given =>
  new Map(
    Object.entries(options).flatMap(([name, raw]) => raw === undefined ? [] : [[name, { name, raw, dialect: "code" }]])
  )

/** `maxPayload` under the prefix `ORDERS` is the variable `ORDERS_MAX_PAYLOAD`. */
const variable = (prefix: string, name: string): string =>
  `${prefix}_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`

/** What the configuration says of each field: as variables under a prefix, where blank is not given, or as it is told. */
export const givenInConfig = <O extends object>(
  fields: Fields,
  from: string | Config.Wrap<O>
): Effect.Effect<Given, Config.ConfigError> =>
  typeof from === "string"
    ? givenUnder(fields, from)
    : Effect.gen(function*() {
      return givenInCode(yield* Config.unwrap(from))
    })

const givenUnder = (
  fields: Fields,
  prefix: string
): Effect.Effect<Given, Config.ConfigError> =>
  Effect.gen(function*() {
    const given = new Map<string, Input>()
    for (const key of Object.keys(fields)) {
      const name = variable(prefix, key)
      const found = Option.getOrElse(yield* Config.option(Config.String(name)), () => "").trim()
      if (found !== "") given.set(key, { name, raw: found, dialect: "text" })
    }
    return given
  })

export const orFail = <A>(
  subject: string,
  problems: ReadonlyArray<string>,
  value: () => A
): Effect.Effect<A, SetupError> =>
  Effect.suspend(() =>
    problems.length === 0 ? Effect.succeed(value()) : Effect.fail(new SetupError({ subject, problems }))
  )

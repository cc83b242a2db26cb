/**
 * Checks options against their schema. Everything that is wrong is a sentence of its own.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { SetupError } from "../../SetupError.ts"

type Path = ReadonlyArray<PropertyKey>

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (parent, key) => typeof parent === "object" && parent !== null ? Reflect.get(parent, key) : undefined,
    value
  )

// Of these nothing is ever shown, whatever type they have.
const secret = new Set<PropertyKey>(["url", "password", "key", "passphrase"])

const show = (value: unknown, path: Path): string => {
  if (path.some((key) => secret.has(key)) || Redacted.isRedacted(value)) return "not shown"
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "function") return "a function"
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object"
  return String(value)
}

const sentence = (input: unknown, path: Path, message: string, valid: ReadonlyArray<string>): string => {
  const name = path.map(String).join(".")
  if (message === "Expected no excess property") {
    return path.length === 1 ? `${name} is no option: valid are ${valid.join(", ")}` : `${name} is no option`
  }
  if (message === "Missing key") return `${name} is missing`
  const expected = message.replace(/^Expected /, "").replace(/ \| undefined$/, "")
  if (name === "") return expected
  return `${name} is ${show(valueAt(input, path), path)}: expected ${expected}`
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** The options, or all that is wrong with them. */
export const check = <A>(
  what: string,
  schema: Schema.Codec<A, unknown> & { readonly fields: object },
  input: unknown,
  further: (options: A) => ReadonlyArray<string> = () => []
): Effect.Effect<A, SetupError> => {
  const decoded = Schema.decodeUnknownResult(schema, { errors: "all", onExcessProperty: "error" })(input)
  if (Result.isSuccess(decoded)) {
    const problems = further(decoded.success)
    return problems.length === 0
      ? Effect.succeed(decoded.success)
      : Effect.fail(new SetupError({ what, problems }))
  }
  const valid = Object.keys(schema.fields)
  const problems = format(decoded.failure.issue).issues.map(({ message, path }) =>
    sentence(input, (path ?? []).map((key) => typeof key === "object" ? key.key : key), message, valid)
  )
  return Effect.fail(new SetupError({ what, problems }))
}

/** A finite duration of at least so many milliseconds. */
export const duration = (least: number): Schema.declare<Duration.Input> =>
  Schema.declare((u): u is Duration.Input => {
    const millis = Option.match(Duration.fromInput(u as Duration.Input), {
      onNone: () => NaN,
      onSome: Duration.toMillis
    })
    return Number.isFinite(millis) && millis >= least
  }, { expected: `a finite duration of at least ${least} milliseconds` })

export const millis = (input: Duration.Input): number => Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(input)))

/** A text that fits into a short string of AMQP: names, routing keys, ids. */
export const fits = (text: string): boolean => Buffer.byteLength(text) <= 255

export const name: Schema.declare<string> = Schema.declare(
  (u): u is string => typeof u === "string" && u.length > 0 && fits(u),
  { expected: "a text of 1 to 255 bytes" }
)

export const route: Schema.declare<string> = Schema.declare((u): u is string => typeof u === "string" && fits(u), {
  expected: "a text of at most 255 bytes"
})

/** An integer in these bounds. */
export const integer = (minimum: number, maximum: number): Schema.declare<number> =>
  Schema.declare((u): u is number => Number.isInteger(u) && Number(u) >= minimum && Number(u) <= maximum, {
    expected: `an integer from ${minimum} to ${maximum}`
  })

export const text: Schema.declare<string> = Schema.declare((u): u is string => typeof u === "string", {
  expected: "a text"
})

export const flag: Schema.declare<boolean> = Schema.declare((u): u is boolean => typeof u === "boolean", {
  expected: "true or false"
})

/** What may be given as an argument of a queue, an exchange or a binding. */
export const table: Schema.declare<{ readonly [name: string]: string | number | boolean }> = Schema.declare(
  (u): u is { readonly [name: string]: string | number | boolean } =>
    typeof u === "object" && u !== null && !Array.isArray(u) &&
    Object.values(u).every((value) => ["string", "number", "boolean"].includes(typeof value)),
  { expected: "an object of texts, numbers and booleans" }
)

/**
 * Options against their schema. All that is wrong is told at once, a sentence for each.
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

const isSecretKey = (key: PropertyKey): boolean => ["password", "token", "key", "passphrase"].includes(String(key))

const show = (value: unknown, path: Path): string => {
  if (Redacted.isRedacted(value) || path.slice(1).some(isSecretKey)) return "not shown"
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "function") return "a function"
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object"
  return String(value)
}

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (inner, key) => typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined,
    value
  )

/** Options of other clients that would break the guarantee, and why they are none here. */
const refused: { readonly [option: string]: string } = {
  autocommit: "offsets are committed when transactions are done; committing by a timer would lose what is not",
  autoCommit: "offsets are committed when transactions are done; committing by a timer would lose what is not",
  noAck: "every delivery is settled",
  isolationLevel: "use isolation"
}

const sentence = (input: unknown, path: Path, message: string, valid: ReadonlyArray<string>): string => {
  const name = path.map(String).join(".")
  if (message === "Expected no excess property") {
    const why = refused[name]
    if (why !== undefined) return `${name} cannot be set: ${why}`
    return path.length === 1 ? `${name} is no option; valid are ${valid.join(", ")}` : `${name} is no option`
  }
  if (message === "Missing key") return `${name} is missing`
  const expected = message.replace(/^Expected /, "").replace(/ \| undefined$/, "")
  return name === "" ? expected : `${name} is ${show(at(input, path), path)}: expected ${expected}`
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** The options, or all that is wrong with them. `further` looks at options that fit one by one. */
export const check = <A>(
  what: string,
  schema: Schema.Codec<A, unknown> & { readonly fields: object },
  input: unknown,
  further: (options: A) => ReadonlyArray<string> = () => []
): Effect.Effect<A, SetupError> => {
  const decoded = Schema.decodeUnknownResult(schema, { errors: "all", onExcessProperty: "error" })(input)
  const problems = Result.isSuccess(decoded)
    ? further(decoded.success)
    : format(decoded.failure.issue).issues.map(({ message, path }) =>
      sentence(
        input,
        (path ?? []).map((key) => typeof key === "object" ? key.key : key),
        message,
        Object.keys(schema.fields)
      )
    )
  if (Result.isSuccess(decoded) && problems.length === 0) return Effect.succeed(decoded.success)
  return Effect.fail(new SetupError({ what, problems }))
}

export const millis = (input: Duration.Input): number => Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(input)))

const millisOf = (u: unknown): number =>
  Option.match(Duration.fromInput(u as Duration.Input), { onNone: () => NaN, onSome: Duration.toMillis })

/** A finite duration of at least so many milliseconds. */
export const duration = (least: number): Schema.declare<Duration.Input> =>
  Schema.declare((u): u is Duration.Input => Number.isFinite(millisOf(u)) && millisOf(u) >= least, {
    expected: `a finite duration of at least ${least} ms`
  })

const isText = (u: unknown): u is string => typeof u === "string" && u.trim().length > 0 && !/\s/.test(u)

/** A client id, a group id. */
export const name: Schema.declare<string> = Schema.declare(isText, { expected: "a text without spaces" })

/** The name of a topic, as Kafka allows it. */
export const topic: Schema.declare<string> = Schema.declare(
  (u): u is string => isText(u) && /^[\w.-]{1,249}$/.test(u) && u !== "." && u !== "..",
  { expected: "a topic: 1 to 249 of the characters a-z, A-Z, 0-9, \".\", \"_\" and \"-\"" }
)

export const flag: Schema.declare<boolean> = Schema.declare((u): u is boolean => typeof u === "boolean", {
  expected: "true or false"
})

export const integer = (least: number, most: number): Schema.declare<number> =>
  Schema.declare((u): u is number => Number.isInteger(u) && Number(u) >= least && Number(u) <= most, {
    expected: `a whole number from ${least} to ${most}`
  })

export const secret: Schema.declare<Redacted.Redacted> = Schema.declare(
  (u): u is Redacted.Redacted => Redacted.isRedacted(u) && typeof Redacted.value(u) === "string",
  { expected: "a Redacted text" }
)

// oxlint-disable-next-line typescript/no-explicit-any
const isFunction = (u: unknown): u is (...args: Array<any>) => any => typeof u === "function"

/** A function of the user's: its type is that of the options. */
export const fn = <F>(): Schema.declare<F> =>
  Schema.declare((u): u is F & ((...args: Array<never>) => unknown) => isFunction(u), { expected: "a function" })

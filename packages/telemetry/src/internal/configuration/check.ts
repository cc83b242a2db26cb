/**
 * Checks a configuration against its schema. Everything that is wrong is a sentence of its own.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { Input, parts } from "./schema.ts"

type Path = ReadonlyArray<PropertyKey>

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (parent, key) => typeof parent === "object" && parent !== null ? Reflect.get(parent, key) : undefined,
    value
  )

/** The user and the password of a URL are as secret as a header. */
export const withoutUser = (text: string): string => text.replace(/\/\/[^/?#]*@/, "//<redacted>@")

const show = (value: unknown, path: Path): string => {
  if (path.includes("headers") || Redacted.isRedacted(value)) return "not shown"
  if (typeof value === "string") return JSON.stringify(withoutUser(value))
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object"
  return String(value)
}

const partOf = (path: Path): string =>
  path.map((key) => typeof key === "number" || /^\d+$/.test(String(key)) ? "*" : String(key)).join(".")

const excess = "Expected no excess property"

const sentence = (input: unknown, path: Path, message: string): string => {
  const name = path.map(String).join(".")
  if (message === excess) {
    const valid = parts.get(partOf(path.slice(0, -1))) ?? []
    return `${name} is no option; valid are ${valid.join(", ")}`
  }
  if (message === "Missing key") return `${name} is missing`
  const expected = message.replace(/^Expected /, "").replace(/ \| undefined$/, "")
  return `${name === "" ? "the configuration" : name} is ${show(valueAt(input, path), path)}: expected ${expected}`
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()
const decode = Schema.decodeUnknownResult(Input, { errors: "all", onExcessProperty: "error" })

/** The configuration, or all that is wrong with it. */
export const check = (input: unknown): Result.Result<Input, ReadonlyArray<string>> =>
  Result.mapError(
    decode(input),
    (error) =>
      format(error.issue).issues.map(({ message, path }) =>
        sentence(input, (path ?? []).map((key) => typeof key === "object" ? key.key : key), message)
      )
  )

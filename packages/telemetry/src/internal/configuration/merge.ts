/**
 * Lays one configuration over another, option by option.
 */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import type { Input } from "./schema.ts"

type Plain = { readonly [key: string]: unknown }

const isPlain = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !Redacted.isRedacted(value) &&
  !Duration.isDuration(value)

const lay = (under: Plain, over: Plain): Plain => {
  const merged: { [key: string]: unknown } = { ...under }
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue
    const before = merged[key]
    merged[key] = isPlain(before) && isPlain(value) ? lay(before, value) : value
  }
  return merged
}

/** Later ones win; `undefined` lets the earlier one through; lists are replaced, never joined. */
export const merge = (...inputs: ReadonlyArray<Input>): Input => inputs.reduce<Plain>(lay, {})

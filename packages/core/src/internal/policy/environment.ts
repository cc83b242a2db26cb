/**
 * The environment variables of a task: `ERGON_<TASK>_<FIELD>`, read through the `ConfigProvider`.
 *
 * A provider whose names can be listed, as the process's environment, also tells the names that are no field. They are
 * problems, because a misspelt variable would otherwise be passed over in silence.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import type { Named } from "./field.ts"
import { leaves, variableOf } from "./strings.ts"

/** What the variables of a task begin with. */
export const prefixOf = (task: string): string => `ERGON_${task.toUpperCase().replace(/[^A-Z0-9]/g, "_")}_`

/** The variables of a task, with the fields they set. */
export const variablesOf = (task: string): ReadonlyMap<string, Named> => {
  const prefix = prefixOf(task)
  return new Map(leaves.map((leaf) => [prefix + variableOf(leaf.path), leaf]))
}

type Segments = ReadonlyArray<string>

const childrenOf = (node: ConfigProvider.Node | undefined): ReadonlyArray<string> => {
  if (node === undefined || node._tag === "Value") return []
  return node._tag === "Record" ? Array.from(node.keys) : Array.from({ length: node.length }, (_, index) => `${index}`)
}

// A provider that lists names lists them word by word.
const namesBelow = (
  provider: ConfigProvider.ConfigProvider,
  segments: Segments
): Effect.Effect<ReadonlyArray<string>, ConfigProvider.SourceError> =>
  Effect.flatMap(provider.load(segments), (node) => {
    const below = Effect.forEach(childrenOf(node), (child) => namesBelow(provider, [...segments, child]))
    return Effect.map(
      below,
      (names) => node?.value === undefined ? names.flat() : [segments.join("_"), ...names.flat()]
    )
  })

const fieldNames: ReadonlyArray<string> = leaves.map((leaf) => `_${variableOf(leaf.path)}`)

/**
 * Whether a name under the prefix of this task is someone else's: it is listed, begins with the longer prefix of
 * another task, or ends in a field as a variable of the task `orders-eu` does seen from the task `orders`.
 */
const isForeign = (
  name: string,
  prefix: string,
  others: ReadonlyArray<string>,
  known: ReadonlyArray<string>
): boolean =>
  known.includes(name) || fieldNames.some((field) => name.slice(prefix.length).endsWith(field)) ||
  others.map(prefixOf).some((other) => other.length > prefix.length && name.startsWith(other))

export interface EnvironmentOptions {
  readonly tasks?: ReadonlyArray<string> | undefined
  readonly known?: ReadonlyArray<string> | undefined
}

/** What is set for a task: its fields, and names that are none. */
export const variables = (
  task: string,
  options: EnvironmentOptions
): Effect.Effect<ReadonlyArray<readonly [name: string, text: string]>, ConfigProvider.SourceError> =>
  Effect.gen(function*() {
    const provider = yield* ConfigProvider.ConfigProvider
    const prefix = prefixOf(task)
    const fields = variablesOf(task)
    const listed = yield* namesBelow(provider, prefix.slice(0, -1).split("_"))
    const strangers = listed.filter((name) =>
      name.startsWith(prefix) && !fields.has(name) &&
      !isForeign(name, prefix, options.tasks ?? [], options.known ?? [])
    )
    return yield* Effect.forEach(
      [...fields.keys(), ...strangers],
      (name) => Effect.map(provider.load([name]), (node) => [name, node?.value ?? ""] as const)
    )
  })

/**
 * The policy in force, field by field, with where each value comes from.
 */
import type { Field, Origin, Origins } from "../../Outline.ts"
import type * as Policy from "../../Policy.ts"
import type { Definition } from "../definition.ts"
import { defaultBatchSize } from "../policy/batchSize.ts"
import { check } from "../policy/check.ts"
import { fill, readTree } from "../policy/decode.ts"
import { refused } from "../policy/decide.ts"
import { description } from "../policy/description.ts"
import { prefixOf } from "../policy/environment.ts"
import type { Named } from "../policy/field.ts"
import { sentence } from "../policy/problem.ts"
import { leaves, variableOf } from "../policy/strings.ts"

/** A policy that may contradict itself: what is wrong with it is told beside it. Throws where a value is not valid. */
export const decideAnyway = (
  input: Policy.Input
): { readonly policy: Policy.Policy; readonly problems: ReadonlyArray<string> } => {
  const { overlay, problems } = readTree(description, input, "code")
  if (problems.length > 0) throw refused(problems)
  const policy = fill(overlay)
  return { policy, problems: check(policy).map(sentence) }
}

const at = (tree: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>(
    (section, key) => typeof section === "object" && section !== null ? Reflect.get(section, key) : undefined,
    tree
  )

const textOf = (leaf: Named["leaf"], value: unknown): string => {
  const json = leaf.write(value)
  return json === null ? "none" : typeof json === "string" ? json : JSON.stringify(json)
}

/** What a kind of task makes of a field that nobody has set. */
const byKind: Readonly<Record<string, { readonly value: string; readonly from: string }>> = {
  "loop.mode": { value: "batch", from: "a producer works batch by batch" },
  "fetch.timeout": { value: "none", from: "a stream takes the time it takes" },
  "supervision.thresholds.fetch": { value: "none", from: "a stream takes the time it takes" }
}

export interface Given {
  readonly task: string
  readonly code: Policy.Input
  readonly origins: Origins
}

const originOf = ({ code, origins, task }: Given, { leaf, path }: Named): Origin => {
  const name = path.join(".")
  if (at(origins.flags, path) !== undefined) {
    return { _tag: "flag", name: origins.flagOf === undefined ? `--${name}` : origins.flagOf(name) }
  }
  if (at(origins.environment, path) !== undefined) {
    return { _tag: "environment", name: `${prefixOf(task)}${variableOf(path)}` }
  }
  if (at(code, path) !== undefined) return { _tag: "code" }
  return leaf.derived || leaf.default === undefined && leaf.none !== undefined && leaf.defaultText !== "none"
    ? { _tag: "derived", from: leaf.defaultText }
    : { _tag: "default" }
}

// Of a program only these have something to act on.
const ofProgram: ReadonlySet<string | undefined> = new Set(["shutdown", "supervision"])

const timesOut = (given: Given): boolean =>
  [given.code, given.origins.environment, given.origins.flags].some((input) => input?.fetch?.timeout !== undefined)

/** All fields that act on such a task, in the order of the policy. */
export const fieldsOf = (
  given: Given,
  policy: Policy.Policy,
  from: Definition["from"]["_tag"] | "program"
): ReadonlyArray<Field> =>
  leaves.filter(({ path }) => from !== "program" || ofProgram.has(path[0])).map((named): Field => {
    const { leaf, path } = named
    const name = path.join(".")
    const origin = originOf(given, named)
    const unset = origin._tag === "default" || origin._tag === "derived"
    // A stream with a timeout is watched as a source is.
    const kind = from === "stream" && unset && !(name === "supervision.thresholds.fetch" && timesOut(given))
      ? byKind[name]
      : undefined
    const value = at(policy, path)
    return {
      path: name,
      value: kind?.value ?? (name === "fetch.batch.size" && value === undefined
        ? String(defaultBatchSize(from === "stream" ? "batch" : policy.loop.mode, policy.loop.concurrency))
        : textOf(leaf, value)),
      default: leaf.defaultText,
      origin: kind === undefined ? origin : { _tag: "derived", from: kind.from },
      doc: leaf.doc
    }
  })

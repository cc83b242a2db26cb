/**
 * From what someone wrote to what it means: one walk over the description, which never stops at the first problem.
 *
 * An overlay holds effective values, and only those that were given; `null` in it is a field that was switched off.
 */
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { derive } from "./derive.ts"
import { type Description, description } from "./description.ts"
import { type Effective, type Explicit, isLeaf, type Leaf, type Tree } from "./field.ts"
import { type Problem, show } from "./problem.ts"
import { type Dialect, isNone, type Understood } from "./read.ts"
import { suggest } from "./suggest.ts"

export interface Overlay {
  readonly [key: string]: unknown
}

export interface Decoded {
  readonly overlay: Overlay
  readonly problems: ReadonlyArray<Problem>
}

/** What is valid, in the words of the dialect. */
const expectedOf = (leaf: Leaf, dialect: Dialect): string =>
  leaf.none === undefined ? leaf.expected : `${leaf.expected}, or ${dialect === "text" ? "none" : "null for none"}`

/** One value: understood and within its bounds, or a problem. */
export const readLeaf = (leaf: Leaf, raw: unknown, dialect: Dialect, path: string): Understood<unknown> | Problem => {
  const read = leaf.none !== undefined && isNone(raw, dialect) ? leaf.none : leaf.read(raw, dialect)
  return read !== undefined && leaf.accepts(read.value)
    ? { value: read.value ?? null }
    : { _tag: "Invalid", path, value: show(raw), expected: expectedOf(leaf, dialect) }
}

export const isProblem = (read: Understood<unknown> | Problem): read is Problem => "_tag" in read

const isSection = (raw: unknown): raw is { readonly [key: string]: unknown } =>
  Predicate.isObject(raw) && !Array.isArray(raw)

export const readTree = (root: Tree, raw: unknown, dialect: "code" | "json"): Decoded => {
  const problems: Array<Problem> = []
  const section = (tree: Tree, raw: unknown, path: string): Overlay => {
    const overlay: { [key: string]: unknown } = {}
    if (raw === undefined) return overlay
    if (!isSection(raw)) {
      const expected = `an object with ${Object.keys(tree).join(", ")}`
      problems.push({ _tag: "Invalid", path, value: show(raw), expected })
      return overlay
    }
    for (const [key, value] of Object.entries(raw)) {
      const here = path === "" ? key : `${path}.${key}`
      const node = Object.hasOwn(tree, key) ? tree[key] : undefined
      if (node === undefined) {
        const nearest = suggest(root, path, key, tree)
        problems.push({ _tag: "NoSuchField", path: here, value: show(value), nearest, valid: Object.keys(tree) })
      } else if (value === undefined) {
        continue
      } else if (isLeaf(node)) {
        const read = readLeaf(node, value, dialect, here)
        if (isProblem(read)) problems.push(read)
        else overlay[key] = read.value
      } else {
        overlay[key] = section(node, value, here)
      }
    }
    return overlay
  }
  return { overlay: section(root, raw, ""), problems }
}

export const fillTree = (tree: Tree, overlay: unknown): Overlay => {
  const given = isSection(overlay) ? overlay : {}
  return Object.fromEntries(
    Object.entries(tree).map(([key, node]) => {
      const value = given[key]
      if (!isLeaf(node)) return [key, fillTree(node, value)]
      if (value === null) return [key, node.none?.value]
      return [key, value === undefined ? node.default : value]
    })
  )
}

/** The effective policy of an overlay without problems. */
export const fill = (overlay: Overlay): Effective<Description> =>
  derive(fillTree(description, overlay) as unknown as Explicit<Description>)

/** Later inputs win, field by field; `undefined` passes through. What is not a field stays, and is told by `readTree`. */
export const mergeTree = (tree: Tree, earlier: unknown, later: unknown): unknown => {
  if (later === undefined) return earlier
  if (!isSection(earlier) || !isSection(later)) return later
  const merged: { [key: string]: unknown } = { ...earlier }
  for (const [key, value] of Object.entries(later)) {
    const node = Object.hasOwn(tree, key) ? tree[key] : undefined
    if (node !== undefined && !isLeaf(node)) merged[key] = mergeTree(node, earlier[key], value)
    else if (value !== undefined) merged[key] = value
  }
  return merged
}

const write = (tree: Tree, policy: unknown): Schema.JsonObject => {
  const values = policy as { readonly [key: string]: unknown }
  return Object.fromEntries(
    Object.entries(tree).map(([key, node]) => [key, isLeaf(node) ? node.write(values[key]) : write(node, values[key])])
  )
}

/** JSON that reads back as the same policy. */
export const encode = (policy: Effective<Description>): Schema.JsonObject => write(description, policy)

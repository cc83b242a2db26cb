/**
 * The field that was probably meant by a name that is none.
 */
import { leavesOf, type Tree } from "./field.ts"
import { nearest } from "./nearest.ts"

const lastOf = (path: ReadonlyArray<string>): string => path[path.length - 1]!

/** A neighbour that differs by a few letters; else a field of such a name elsewhere, the closest place first. */
export const suggest = (root: Tree, section: string, name: string, tree: Tree): string | undefined => {
  const prefix = section === "" ? "" : `${section}.`
  const neighbour = nearest(name, Object.keys(tree))
  if (neighbour !== undefined) return prefix + neighbour
  const leaves = leavesOf(root)
  const meant = nearest(name, leaves.map(({ path }) => lastOf(path)))
  const elsewhere = leaves.filter(({ path }) => lastOf(path) === meant).map(({ path }) => path.join("."))
  return elsewhere.find((path) => path.startsWith(prefix)) ?? elsewhere[0]
}

/** The same for whole names, `loop.limit` or `LOOP_LIMIT`: a near one; else one that ends in something near. */
export const suggestName = (name: string, names: ReadonlyArray<string>): string | undefined => {
  const near = nearest(name, names)
  if (near !== undefined) return near
  const end = nearest(name, names.flatMap(endsOf))
  return end === undefined ? undefined : names.find((name) => endsOf(name).includes(end))
}

/** `retry.cap` and `cap` of `process.retry.cap`. */
const endsOf = (name: string): ReadonlyArray<string> =>
  Array.from(name.matchAll(/[._]/g), ({ index }) => name.slice(index + 1))

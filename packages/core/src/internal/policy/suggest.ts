/**
 * The field that was probably meant by a name that is none.
 */
import { description } from "./description.ts"
import { isLeaf, type Tree } from "./field.ts"
import { distance, nearest } from "./nearest.ts"

/** The paths of all fields, in the order of the description. */
export const pathsOf = (tree: Tree, prefix = ""): ReadonlyArray<string> =>
  Object.entries(tree).flatMap(([key, node]) => isLeaf(node) ? [prefix + key] : pathsOf(node, `${prefix}${key}.`))

const isNear = (name: string, candidate: string): boolean =>
  distance(name.toLowerCase(), candidate.toLowerCase()) <= Math.max(1, Math.floor(candidate.length / 3))

/** A neighbour that differs by a few letters; else a field of this name elsewhere, the closest place first. */
export const suggest = (section: string, name: string, tree: Tree): string | undefined => {
  const prefix = section === "" ? "" : `${section}.`
  const neighbour = nearest(name, Object.keys(tree))
  if (neighbour !== undefined && isNear(name, neighbour)) return prefix + neighbour
  const elsewhere = pathsOf(description).filter((path) => path.slice(path.lastIndexOf(".") + 1) === name)
  return elsewhere.find((path) => path.startsWith(prefix)) ?? elsewhere[0]
}

/**
 * The field that was probably meant by a name that is none.
 */
import { leavesOf, type Tree } from "./field.ts"
import { distance, nearest } from "./nearest.ts"

const isNear = (name: string, candidate: string): boolean =>
  distance(name.toLowerCase(), candidate.toLowerCase()) <= Math.max(1, Math.floor(candidate.length / 3))

/** A neighbour that differs by a few letters; else a field of this name elsewhere, the closest place first. */
export const suggest = (root: Tree, section: string, name: string, tree: Tree): string | undefined => {
  const prefix = section === "" ? "" : `${section}.`
  const neighbour = nearest(name, Object.keys(tree))
  if (neighbour !== undefined && isNear(name, neighbour)) return prefix + neighbour
  const elsewhere = leavesOf(root).filter(({ path }) => path[path.length - 1] === name).map(({ path }) =>
    path.join(".")
  )
  return elsewhere.find((path) => path.startsWith(prefix)) ?? elsewhere[0]
}

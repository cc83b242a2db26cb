/**
 * The field that was probably meant by a name that is none.
 */
import { leavesOf, type Tree } from "./field.ts"
import { nearest } from "./nearest.ts"

/** A neighbour that differs by a few letters; else a field of this name elsewhere, the closest place first. */
export const suggest = (root: Tree, section: string, name: string, tree: Tree): string | undefined => {
  const prefix = section === "" ? "" : `${section}.`
  const neighbour = nearest(name, Object.keys(tree))
  if (neighbour !== undefined) return prefix + neighbour
  const elsewhere = leavesOf(root).filter(({ path }) => path[path.length - 1] === name).map(({ path }) =>
    path.join(".")
  )
  return elsewhere.find((path) => path.startsWith(prefix)) ?? elsewhere[0]
}

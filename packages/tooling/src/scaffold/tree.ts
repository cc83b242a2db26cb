/**
 * What a YAML or JSON file says, looked at by paths.
 */
import { parse } from "effect/encoding/Yaml"

/** The documents of a YAML file. Throws with the line of what does not parse. */
export const documents = (text: string): ReadonlyArray<unknown> =>
  text.split(/^---$/m).filter((one) => one.trim() !== "").map((one) => parse(one))

/** What stands at a path such as `spec.containers.0.name`; `undefined` when nothing does. */
export const at = (tree: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>(
    (here, key) =>
      typeof here === "object" && here !== null && Object.hasOwn(here, key)
        ? Reflect.get(here, key)
        : undefined,
    tree
  )

export const text = (tree: unknown, path: string): string => {
  const found = at(tree, path)
  return typeof found === "string" || typeof found === "number" ? String(found) : ""
}

export const number = (tree: unknown, path: string, otherwise = NaN): number => {
  const found = at(tree, path)
  return typeof found === "number" ? found : found === undefined ? otherwise : NaN
}

export const list = (tree: unknown, path: string): ReadonlyArray<unknown> => {
  const found = at(tree, path)
  return Array.isArray(found) ? found : []
}

export const keys = (tree: unknown, path: string): ReadonlyArray<string> => {
  const found = at(tree, path)
  return typeof found === "object" && found !== null ? Object.keys(found) : []
}

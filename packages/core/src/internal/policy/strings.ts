/**
 * Fields given as text, by name: environment variables and command-line flags.
 */
import { isProblem, type Overlay, readLeaf } from "./decode.ts"
import { description } from "./description.ts"
import { leavesOf, type Named } from "./field.ts"
import { type Problem, show } from "./problem.ts"
import { suggestName } from "./suggest.ts"

export const leaves: ReadonlyArray<Named> = leavesOf(description)

export const byPath: ReadonlyMap<string, Named> = new Map(leaves.map((leaf) => [leaf.path.join("."), leaf]))

/** `fetch.batch.size` is `FETCH_BATCH_SIZE`. */
export const variableOf = (path: ReadonlyArray<string>): string =>
  path.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join("_")

const put = (overlay: { [key: string]: unknown }, path: ReadonlyArray<string>, value: unknown): void => {
  let section = overlay
  for (const key of path.slice(0, -1)) {
    section = (section[key] ??= {}) as { [key: string]: unknown }
  }
  section[path[path.length - 1]!] = value
}

/** Reads what is given under the names of `fields`, all of which begin with `prefix`. Blank is the same as not given. */
export const readStrings = (
  given: Iterable<readonly [name: string, text: string]>,
  fields: ReadonlyMap<string, Named>,
  prefix: string
): { readonly overlay: Overlay; readonly problems: ReadonlyArray<Problem> } => {
  const overlay: { [key: string]: unknown } = {}
  const problems: Array<Problem> = []
  for (const [name, text] of given) {
    if (text.trim() === "") continue
    const field = fields.get(name)
    if (field === undefined) {
      const near = suggestName(
        name.slice(prefix.length),
        Array.from(fields.keys(), (field) => field.slice(prefix.length))
      )
      problems.push({
        _tag: "NoSuchField",
        path: name,
        value: show(text),
        nearest: near === undefined ? undefined : prefix + near,
        valid: []
      })
      continue
    }
    const read = readLeaf(field.leaf, text, "text", name)
    if (isProblem(read)) problems.push(read)
    else put(overlay, field.path, read.value)
  }
  return { overlay, problems }
}

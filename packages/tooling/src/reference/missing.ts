/**
 * What the docblocks of a public module lack.
 */
import type { PublicModule } from "./symbols.ts"

const required = ["category", "since"]

/** One line per docblock that is missing or lacks a summary, `@category` or `@since`: `path:line: what`. */
export const missing = ({ docblock, exports, name, source }: PublicModule): ReadonlyArray<string> => {
  const module = docblock === undefined || docblock.summary === ""
    ? [`${source.path}:1: the module ${name} has no docblock of its own`]
    : []
  return [
    ...module,
    ...exports.flatMap((one) => {
      const where = `${one.path}:${one.line}: ${name}.${one.name}`
      if (one.docblock === undefined) return [`${where} has no docblock`]
      const { summary, tags } = one.docblock
      const lacks = [
        ...summary === "" ? ["a summary"] : [],
        ...required.filter((tag) => (tags.get(tag) ?? "") === "").map((tag) => `@${tag}`)
      ]
      return lacks.length === 0 ? [] : [`${where} lacks ${lacks.join(" and ")}`]
    })
  ]
}

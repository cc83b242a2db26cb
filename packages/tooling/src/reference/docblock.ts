/**
 * A docblock, taken apart: prose, and the tags that end it.
 */
import type { Source } from "../workspace/source.ts"

export interface Docblock {
  /** The first paragraph, on one line. */
  readonly summary: string
  /** All prose after the summary, as Markdown. */
  readonly body: string
  readonly tags: ReadonlyMap<string, string>
}

/** Reads the text of a comment, from `/**` or without. */
export const parse = (comment: string): Docblock => {
  const lines = comment
    .replace(/^\/?\*\*? ?/, "")
    .replace(/\*\/$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
  const prose: Array<string> = []
  const tags = new Map<string, string>()
  let last: string | undefined
  let fenced = false
  for (const line of lines) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced
    const [, tag, value = ""] = fenced ? [] : /^@(\w+)\s*(.*)$/.exec(line) ?? []
    if (tag !== undefined) {
      last = tag
      tags.set(tag, value)
    } else if (last === undefined) prose.push(line)
    else if (line !== "") tags.set(last, `${tags.get(last) ?? ""} ${line}`.trim())
  }
  const text = prose.join("\n").trim().replace(/\{@link\s+([^}\s|]+)[^}]*\}/g, "`$1`")
  const [first = "", ...rest] = text.split(/\n\s*\n/)
  return { summary: first.replace(/\s*\n\s*/g, " "), body: rest.join("\n\n").trim(), tags }
}

/** The docblock that ends directly before an offset: nothing but white space stands between. */
export const before = (source: Source, offset: number): Docblock | undefined => {
  const comment = source.comments.findLast(({ end, type, value }) =>
    type === "Block" && value.startsWith("*") && end <= offset && source.text.slice(end, offset).trim() === ""
  )
  return comment === undefined ? undefined : parse(comment.value)
}

/** The docblock at the top of a module, about the module: more than one precedes the first statement, or an import. */
export const ofModule = (source: Source): Docblock | undefined => {
  const [first] = source.program.body
  const docblocks = source.comments.filter(({ end, type, value }) =>
    type === "Block" && value.startsWith("*") && (first === undefined || end <= first.start)
  )
  const [top] = docblocks
  if (top === undefined || source.text.slice(0, top.start).trim() !== "") return undefined
  return docblocks.length > 1 || first === undefined || first.type === "ImportDeclaration"
    ? parse(top.value)
    : undefined
}

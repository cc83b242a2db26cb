/**
 * The `ts` blocks of Markdown files and docblocks, and what the words behind `ts` ask for:
 *
 * - nothing, or `import.meta.vitest`: compiled and run; `expression // => value` is checked
 * - `continues`: compiled and run together with the block before it
 * - `file="a/b.ts"`: an excerpt; its lines must stand in that file, word for word
 * - `no-run="reason"`: compiled only
 * - `no-check="reason"`: neither; listed with its reason
 *
 * Blocks of other languages are ignored.
 */
import type { Source } from "../workspace/source.ts"

export type Mode =
  | { readonly _tag: "Run" }
  | { readonly _tag: "Compile"; readonly reason: string }
  | { readonly _tag: "Skip"; readonly reason: string }
  | { readonly _tag: "Excerpt"; readonly file: string }
  | { readonly _tag: "Invalid"; readonly problem: string }

/** A block. `line` is the line of its first line of code, counted from 1. */
export interface Block {
  readonly path: string
  readonly line: number
  readonly code: string
  readonly continues: boolean
  readonly mode: Mode
}

interface Info {
  readonly continues: boolean
  readonly mode: Mode
}

const run: Mode = { _tag: "Run" }

const modeOf = (name: string, value: string | undefined): Mode | undefined => {
  if (name === "import.meta.vitest" || name === "continues") return value === undefined ? run : undefined
  if (name === "no-run" || name === "no-check" || name === "file") {
    if (value === undefined || value.trim() === "") {
      return { _tag: "Invalid", problem: name === "file" ? "file needs a path" : `${name} needs a reason` }
    }
    if (name === "file") return { _tag: "Excerpt", file: value }
    return name === "no-run" ? { _tag: "Compile", reason: value } : { _tag: "Skip", reason: value }
  }
  return undefined
}

/** Reads the info string of a fence; `undefined` when the block is not TypeScript. */
export const parseInfo = (info: string): Info | undefined => {
  const [language = "", ...rest] = info.trim().split(/\s+/)
  if (language !== "ts" && language !== "typescript") return undefined
  const words = rest.join(" ").match(/[^\s=]+(="[^"]*")?|\S+/g) ?? []
  return words.reduce<Info>((soFar, word) => {
    const [, name = word, value] = /^([^=]+)="([^"]*)"$/.exec(word) ?? []
    const mode = modeOf(name, value) ?? { _tag: "Invalid", problem: `unknown word in the info string: ${word}` }
    return {
      continues: soFar.continues || name === "continues",
      mode: soFar.mode._tag === "Run" || mode._tag === "Invalid" ? mode : soFar.mode
    }
  }, { continues: false, mode: run })
}

interface Line {
  readonly number: number
  readonly text: string
}

const fence = /^(\s*)(`{3,}|~{3,})(.*)$/

const blocksIn = (path: string, lines: ReadonlyArray<Line>): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  let open: { indent: number; marks: string; info: Info | undefined; first: number; code: Array<string> } | undefined
  for (const { number, text } of lines) {
    const match = fence.exec(text)
    if (open === undefined) {
      if (match === null) continue
      const [, indent = "", marks = "", info = ""] = match
      open = { indent: indent.length, marks, info: parseInfo(info), first: number + 1, code: [] }
    } else if (match !== null && match[2]?.startsWith(open.marks) === true && match[3]?.trim() === "") {
      if (open.info !== undefined) blocks.push({ path, line: open.first, code: open.code.join("\n"), ...open.info })
      open = undefined
    } else {
      open.code.push(text.slice(0, open.indent).trim() === "" ? text.slice(open.indent) : text)
    }
  }
  if (open?.info !== undefined) {
    const mode: Mode = { _tag: "Invalid", problem: "the block is never closed" }
    blocks.push({ path, line: open.first, code: open.code.join("\n"), continues: false, mode })
  }
  return blocks
}

/** The blocks of a Markdown file. */
export const ofMarkdown = (path: string, text: string): ReadonlyArray<Block> =>
  blocksIn(path, text.split("\n").map((line, index) => ({ number: index + 1, text: line })))

/** The blocks of all docblocks of a source. */
export const ofSource = (source: Source): ReadonlyArray<Block> =>
  source.comments.filter((comment) => comment.type === "Block" && comment.value.startsWith("*")).flatMap((comment) => {
    const first = source.lineAt(comment.start)
    const lines = comment.value.split("\n").map((text, index) => ({
      number: first + index,
      text: text.replace(/^\s*\* ?/, "")
    }))
    return blocksIn(source.path, lines)
  })

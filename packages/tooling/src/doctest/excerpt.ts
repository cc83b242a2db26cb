/**
 * An excerpt: a block that shows a file. It is not compiled again, it has to stand in that file.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import type { Block } from "./block.ts"

const indented = (code: string, indent: string): string => code.replace(/^(?=.)/gm, indent)

/** Why the block is no excerpt of `file`, or `undefined`. The block may be indented less than the file, as a whole. */
export const problemOf = (root: string, block: Block, file: string): string | undefined => {
  const absolute = path.join(root, file)
  if (!fs.existsSync(absolute)) return `there is no ${file}`
  const text = `\n${fs.readFileSync(absolute, "utf8")}\n`
  const [first = ""] = block.code.split("\n")
  const at = text.split("\n").find((line) => line.trimStart() === first.trimStart())
  const indent = at?.slice(0, at.length - first.length) ?? ""
  return text.includes(`\n${indented(block.code, indent)}\n`) ? undefined : `does not stand in ${file} word for word`
}

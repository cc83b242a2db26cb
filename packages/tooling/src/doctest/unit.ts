/**
 * What is compiled and run as one module: a block, with the blocks that continue it.
 */
import type { Block } from "./block.ts"

export interface Unit {
  readonly id: string
  readonly parts: ReadonlyArray<Block>
  readonly code: string
  /** Only compiled, not run. */
  readonly compileOnly: boolean
}

const idOf = (block: Block): string => `${block.path.replace(/[^A-Za-z0-9]+/g, "-")}-L${block.line}`

/** Groups the blocks that are compiled into units, in order. */
export const unitsOf = (blocks: ReadonlyArray<Block>): ReadonlyArray<Unit> => {
  const groups: Array<Array<Block>> = []
  for (const block of blocks) {
    if (block.mode._tag !== "Run" && block.mode._tag !== "Compile") continue
    const before = groups.at(-1)
    if (block.continues && before?.at(-1)?.path === block.path) before.push(block)
    else groups.push([block])
  }
  return groups.flatMap((parts) => {
    const [first] = parts
    return first === undefined ? [] : [{
      id: idOf(first),
      parts,
      code: parts.map((part) => part.code).join("\n"),
      compileOnly: parts.some((part) => part.mode._tag === "Compile")
    }]
  })
}

/** Where a line of the code of a unit, counted from 1, stands: `path:line`. */
export const locate = (unit: Unit, line: number): string => {
  let before = 0
  for (const part of unit.parts) {
    const length = part.code.split("\n").length
    if (line <= before + length) return `${part.path}:${part.line + line - before - 1}`
    before += length
  }
  const last = unit.parts.at(-1)
  return last === undefined ? unit.id : `${last.path}:${last.line + last.code.split("\n").length - 1}`
}

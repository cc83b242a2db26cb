/**
 * Moving a file into a folder where its name may be taken: it gets a number then, and nothing is overwritten.
 *
 * A rename overwrites, and Node has none that does not. So a name is first reserved by a hidden file that only one
 * process can make, then looked up, then used. A reservation that a crash leaves behind makes its name count as taken.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { codeOf } from "../ioReason.ts"
import { lstat } from "./scan.ts"

/** File systems allow 255 bytes; what is added to a name has its place in the rest. */
const longest = 240

const cut = (text: string, bytes: number): string => {
  let end = text.length
  while (Buffer.byteLength(text.slice(0, end)) > bytes) end--
  return text.slice(0, end)
}

/** `report.csv`, `report.1.csv`, `report.2.csv`: of a name that is too long, its middle is cut. */
export const numbered = (name: string, number: number): string => {
  const extension = cut(path.extname(name), 32)
  const stem = name.slice(0, name.length - path.extname(name).length)
  const tail = (number === 0 ? "" : `.${number}`) + extension
  return cut(stem, longest - Buffer.byteLength(tail)) + tail
}

/** The file that goes with a file in `failed/` and says why it is there. */
export const reasonName = (name: string): string => `${name}.reason.json`

const isTaken = async (folder: string, name: string): Promise<boolean> =>
  (await lstat(path.join(folder, name))) !== undefined ||
  (await lstat(path.join(folder, reasonName(name)))) !== undefined

/** The first number from which on names look free: by doubling, then by halves, so that thousands cost a few looks. */
const firstFree = async (folder: string, name: string): Promise<number> => {
  if (!(await isTaken(folder, numbered(name, 0)))) return 0
  let taken = 0
  let free = 1
  while (await isTaken(folder, numbered(name, free))) {
    taken = free
    free *= 2
  }
  while (free - taken > 1) {
    const middle = Math.floor((taken + free) / 2)
    if (await isTaken(folder, numbered(name, middle))) taken = middle
    else free = middle
  }
  return free
}

const reserve = async (file: string): Promise<boolean> => {
  try {
    await (await fs.open(file, "wx")).close()
    return true
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false
    throw error
  }
}

/**
 * Moves `file` to `folder` under `name` or a numbered form of it, and answers with the name. `before` runs when the name
 * is known; what it made, it has to undo when the move fails. The move is the last step, and one rename.
 */
export const moveTo = async (
  file: string,
  folder: string,
  name: string,
  before?: (target: string) => Promise<{ readonly undo: () => Promise<void> }>
): Promise<string> => {
  for (let number = await firstFree(folder, name);; number++) {
    const free = numbered(name, number)
    const reservation = path.join(folder, `.${createHash("sha1").update(free).digest("hex")}.reserved`)
    if (!(await reserve(reservation))) continue
    try {
      if (await isTaken(folder, free)) continue
      const target = path.join(folder, free)
      const made = await before?.(target)
      try {
        await fs.rename(file, target)
      } catch (error) {
        await made?.undo()
        throw error
      }
      return free
    } finally {
      await fs.rm(reservation, { force: true })
    }
  }
}

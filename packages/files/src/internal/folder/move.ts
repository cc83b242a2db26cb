/**
 * Moving a file into a folder where its name may be taken: it gets a number then, and nothing is overwritten.
 *
 * A rename overwrites, and Node has none that does not. So a name is first reserved by a hidden file that only one
 * process can make, then looked up, then used. The reservation says for which file it was made, so that a file whose
 * move was cut short by a crash finds its own again; to any other file its name counts as taken.
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
const numbered = (name: string, number: number): string => {
  const extension = cut(path.extname(name), 32)
  const stem = name.slice(0, name.length - path.extname(name).length)
  const tail = (number === 0 ? "" : `.${number}`) + extension
  return cut(stem, longest - Buffer.byteLength(tail)) + tail
}

/** How every numbered form of a name begins. */
export const stemOf = (name: string): string =>
  cut(name.slice(0, name.length - path.extname(name).length), longest - 64)

/** The file that goes with a file in `failed/` and says why it is there. */
export const reasonName = (name: string): string => `${name}.reason.json`

const isTaken = async (folder: string, name: string): Promise<boolean> =>
  (await lstat(path.join(folder, name))) !== undefined

/** A number above 0 from which on names look free: by doubling, then by halves, so that thousands cost a few looks. */
const firstFree = async (folder: string, name: string): Promise<number> => {
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

/**
 * Whether the reservation is ours: `new`, or left by a move of the same file that did not come to its end. It is a link
 * that leads nowhere: the one kind of file that appears together with its content.
 */
const reserve = async (reservation: string, owner: string): Promise<"new" | "left" | undefined> => {
  try {
    await fs.symlink(owner, reservation)
    return "new"
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error
  }
  return (await fs.readlink(reservation).catch(() => "")) === owner ? "left" : undefined
}

/** What goes with a file under its new name: undone when the move fails, or not made because its own name is taken. */
export type Companion = { readonly undo: () => Promise<void> } | "taken"

/**
 * Moves `file` to `folder` under `name` or a numbered form of it. `before` runs when the name is known, and is told
 * whether an earlier move of this file may have been cut short behind it. The move is the last step, and one rename;
 * nothing is left behind when it fails, unless the file is no longer there: then whoever has it now is at work.
 */
export const moveTo = async (
  file: string,
  folder: string,
  name: string,
  before: (target: string, again: boolean) => Promise<Companion>
): Promise<void> => {
  const { dev, ino } = await fs.lstat(file)
  const owner = `${dev}:${ino}`
  for (let number = 0;; number = number === 0 ? await firstFree(folder, name) : number + 1) {
    const free = numbered(name, number)
    const target = path.join(folder, free)
    const reservation = path.join(folder, `.${createHash("sha1").update(free).digest("hex")}.reserved`)
    const reserved = await reserve(reservation, owner)
    if (reserved === undefined) continue
    const cancel = () => fs.unlink(reservation).catch(() => undefined)
    const companion = (await isTaken(folder, free)) ? "taken" : await before(target, reserved === "left").catch(
      async (error: unknown) => {
        await cancel()
        throw error
      }
    )
    if (companion === "taken") {
      await cancel()
      continue
    }
    try {
      await fs.rename(file, target)
    } catch (error) {
      if ((await lstat(file)) === undefined) throw error
      await companion.undo()
      await cancel()
      throw error
    }
    await cancel()
    return
  }
}

/**
 * A folder whose files are claimed, given back and put away. It knows no transaction; `claim.ts` draws what becomes of a
 * file.
 *
 * `node:fs` stands here in place of effect's FileSystem because the codes of its errors decide: a rename that finds
 * nothing means that somebody else was faster.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { codeOf } from "../ioReason.ts"
import { type Claim, newClaimName, type Open } from "./claim.ts"
import { type Companion, moveTo, reasonName } from "./move.ts"
import type { Place } from "./place.ts"
import { lstat } from "./scan.ts"

/** The claim is no longer ours: its lease is over and somebody took it, or the file was removed. */
export class Lost extends Error {
  override readonly name = "Lost"
}

const isGone = (error: unknown): boolean => codeOf(error) === "ENOENT"

/** Renames; `false` when there is nothing to rename. */
const tryRename = async (from: string, to: string): Promise<boolean> => {
  try {
    await fs.rename(from, to)
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

/** A file that moves without a companion. */
const alone = (): Promise<Companion> => Promise.resolve({ undo: () => Promise.resolve() })

/** The claim that a directory holds. A link that was put in place of the file since it was seen goes to `failed/`. */
const claimIn = async (
  place: Place,
  directory: string,
  name: string,
  deliveries: number,
  now: number
): Promise<Claim | undefined> => {
  const file = path.join(directory, name)
  const stat = await lstat(file)
  if (stat?.isFile() === true) {
    return { name, directory, deliveries, size: stat.size, modified: stat.mtimeMs, until: now + place.lease }
  }
  if (stat !== undefined) await moveTo(file, place.failed, name, alone)
  await fs.rmdir(directory).catch(() => undefined)
  return undefined
}

/** Claims a file that waits in the folder; `undefined` when somebody was faster. */
export const claimWaiting = async (place: Place, name: string, now: number): Promise<Claim | undefined> => {
  const directory = path.join(place.processing, newClaimName({ deliveries: 0, state: "held" }))
  await fs.mkdir(directory)
  try {
    if (await tryRename(path.join(place.path, name), path.join(directory, name))) {
      return await claimIn(place, directory, name, 0, now)
    }
  } catch (error) {
    await fs.rmdir(directory).catch(() => undefined)
    throw error
  }
  await fs.rmdir(directory).catch(() => undefined)
  return undefined
}

/** Begins a lease: the directory's time of change is its beginning. */
const begin = (directory: string, now: number): Promise<void> => fs.utimes(directory, now / 1000, now / 1000)

/** Takes a claim that is open to anybody; `undefined` when somebody was faster. */
export const takeOpen = async (place: Place, open: Open, now: number): Promise<Claim | undefined> => {
  const directory = path.join(place.processing, newClaimName({ deliveries: open.deliveries, state: "held" }))
  try {
    // Before the rename: under its new name it must never look like a lease that is over.
    await begin(open.directory, now)
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
  if (!(await tryRename(open.directory, directory))) return undefined
  return claimIn(place, directory, open.name, open.deliveries, now)
}

/** Extends a lease; `undefined` when the claim is lost. */
export const extend = async (place: Place, claim: Claim, now: number): Promise<Claim | undefined> => {
  try {
    await begin(claim.directory, now)
    return { ...claim, until: now + place.lease }
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** Gives a claim back to anybody, with a count of its deliveries. Throws `Lost`. */
export const giveBack = async (place: Place, claim: Claim, deliveries: number): Promise<Open> => {
  const directory = path.join(place.processing, newClaimName({ deliveries, state: "free" }))
  if (!(await tryRename(claim.directory, directory))) throw new Lost(`"${claim.name}" is no longer held`)
  return { name: claim.name, directory, deliveries }
}

/** Puts the file of a claim away. A folder that somebody removed is made again. Throws `Lost`. */
const putAway = async (
  claim: Claim,
  folder: string,
  before: (target: string, again: boolean) => Promise<Companion>
): Promise<void> => {
  const file = path.join(claim.directory, claim.name)
  try {
    await moveTo(file, folder, claim.name, before)
  } catch (error) {
    if (!isGone(error)) throw error
    if ((await lstat(file)) === undefined) throw new Lost(`"${claim.name}" is no longer held`)
    await fs.mkdir(folder, { recursive: true })
    await moveTo(file, folder, claim.name, before)
  }
  await fs.rmdir(claim.directory).catch(() => undefined)
}

/** Done: to `done/`. Throws `Lost`. */
export const finish = (place: Place, claim: Claim): Promise<void> => putAway(claim, place.done, alone)

/** Given up: to `failed/`, with a file that says why. That file is on disk before the move. Throws `Lost`. */
export const bury = (place: Place, claim: Claim, letter: string): Promise<void> =>
  putAway(claim, place.failed, async (target, again) => {
    const reason = reasonName(target)
    const undo = () => fs.rm(reason, { force: true })
    let handle: fs.FileHandle
    try {
      handle = await fs.open(reason, again ? "w" : "wx")
    } catch (error) {
      if (codeOf(error) === "EEXIST") return "taken"
      throw error
    }
    try {
      await handle.writeFile(letter)
      await handle.datasync()
    } catch (error) {
      await undo()
      throw error
    } finally {
      await handle.close()
    }
    return { undo }
  })

/**
 * Takes a file out of `failed/` and gives it to anybody, under its own name and with a count of 0; `undefined` when it is
 * no longer there. A crash in between leaves a claim whose lease runs out.
 */
export const takeOut = async (place: Place, failed: string, name: string): Promise<Open | undefined> => {
  // Only what somebody holds may be empty for a moment.
  const held = path.join(place.processing, newClaimName({ deliveries: 0, state: "held" }))
  await fs.mkdir(held)
  try {
    if (await tryRename(path.join(place.failed, failed), path.join(held, name))) {
      const directory = path.join(place.processing, newClaimName({ deliveries: 0, state: "free" }))
      await fs.rename(held, directory)
      return { name, directory, deliveries: 0 }
    }
  } catch (error) {
    await fs.rmdir(held).catch(() => undefined)
    throw error
  }
  await fs.rmdir(held).catch(() => undefined)
  return undefined
}

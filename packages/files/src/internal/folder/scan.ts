/**
 * Looking at the folder: which files wait, which still grow, which are refused, and what is claimed.
 *
 * A look at the folder reads its names and the state of each file, so its cost grows with the number of files that wait;
 * what it finds is handed out until nothing of it is left. `node:fs` stands here in place of effect's FileSystem because
 * a link must be seen as a link.
 */
import type { Stats } from "node:fs"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { codeOf } from "../ioReason.ts"
import { type Open, parseClaimName } from "./claim.ts"
import type { Place } from "./place.ts"

/** The state of what has this name, a link itself and not what it leads to; `undefined` when it is gone. */
export const lstat = async (file: string): Promise<Stats | undefined> => {
  try {
    return await fs.lstat(file)
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  }
}

/** What is claimed: `names` of all claimed files, `held` of them by somebody, and those that are open to anybody. */
export interface Claimed {
  readonly names: ReadonlySet<string>
  readonly held: number
  readonly open: ReadonlyArray<Open>
}

/** The names below `processing/`, which is made again when somebody removed it. */
const claimNames = async (place: Place): Promise<ReadonlyArray<string>> => {
  try {
    return await fs.readdir(place.processing)
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error
    await fs.mkdir(place.processing)
    return []
  }
}

export const scanClaimed = async (place: Place, now: number): Promise<Claimed> => {
  const names = new Set<string>()
  const open: Array<Open> = []
  let held = 0
  for (const entry of (await claimNames(place)).toSorted()) {
    const claim = parseClaimName(entry)
    if (claim === undefined) continue
    const directory = path.join(place.processing, entry)
    const stat = await lstat(directory)
    if (stat === undefined) continue
    const over = claim.state === "free" || stat.mtimeMs + place.lease <= now
    const files = await fs.readdir(directory).catch(() => [])
    // Whoever claims a file makes its directory first; one that stays empty was left by a crash.
    if (files.length === 0 && over) await fs.rmdir(directory).catch(() => undefined)
    for (const name of files) {
      names.add(name)
      if (over) open.push({ name, directory, deliveries: claim.deliveries + (claim.state === "held" ? 1 : 0) })
      else held++
    }
  }
  return { names, held, open }
}

/** A file that changed lately, as it was when it was first seen like this. */
interface Seen {
  readonly modified: number
  readonly size: number
  readonly since: number
}

/** What the last look at the folder left to remember. */
export interface Memory {
  growing: ReadonlyMap<string, Seen>
  refused: ReadonlySet<string>
}

export interface Waiting {
  /** In the order of their last change, then of their names. */
  readonly ready: ReadonlyArray<string>
  /** Those that still grow, and those whose name is claimed already. */
  readonly delayed: number
  /** Refused, and not refused at the look before. */
  readonly refused: ReadonlyArray<{ readonly name: string; readonly why: string }>
}

/**
 * Whether a file has not changed for long enough: by its own time or, where that lies in the future, by what was seen
 * of it here.
 */
const isStable = (place: Place, stat: Stats, seen: Seen, now: number): boolean =>
  place.stableFor <= 0 || (stat.mtimeMs <= now && now - stat.mtimeMs >= place.stableFor) ||
  now - seen.since >= place.stableFor

const seenNow = (stat: Stats, before: Seen | undefined, now: number): Seen =>
  before !== undefined && before.modified === stat.mtimeMs && before.size === stat.size
    ? before
    : { modified: stat.mtimeMs, size: stat.size, since: now }

const refusal = (stat: Stats): string | undefined => {
  if (stat.isSymbolicLink()) return "it is a symbolic link"
  return stat.isFile() || stat.isDirectory() ? undefined : "it is not a regular file"
}

const together = 64

export const scanFolder = async (
  place: Place,
  claimed: ReadonlySet<string>,
  memory: Memory,
  now: number
): Promise<Waiting> => {
  const names = (await fs.readdir(place.path)).filter(place.matches)
  const ready: Array<{ readonly name: string; readonly modified: number }> = []
  const growing = new Map<string, Seen>()
  const refused = new Map<string, string>()
  let blocked = 0
  const look = async (name: string): Promise<void> => {
    const stat = await lstat(path.join(place.path, name))
    if (stat === undefined) {
      // Bytes that are no text were replaced, so that the name leads nowhere.
      if (name.includes("\ufffd")) refused.set(name, "its name is not valid UTF-8")
      return
    }
    const why = refusal(stat)
    if (why !== undefined) {
      refused.set(name, why)
    } else if (stat.isFile()) {
      const seen = seenNow(stat, memory.growing.get(name), now)
      if (!isStable(place, stat, seen, now)) growing.set(name, seen)
      else if (claimed.has(name)) blocked++
      else ready.push({ name, modified: stat.mtimeMs })
    }
  }
  for (let at = 0; at < names.length; at += together) await Promise.all(names.slice(at, at + together).map(look))
  const fresh = [...refused].filter(([name]) => !memory.refused.has(name)).map(([name, why]) => ({ name, why }))
  memory.growing = growing
  memory.refused = new Set(refused.keys())
  ready.sort((left, right) => left.modified - right.modified || (left.name < right.name ? -1 : 1))
  return { ready: ready.map(({ name }) => name), delayed: growing.size + blocked, refused: fresh }
}

/**
 * Where a watched folder and its subfolders are, and the settings by which it is watched.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { codeOf } from "../ioReason.ts"

export interface Settings {
  readonly path: string
  readonly pattern: string | RegExp | undefined
  readonly processing: string
  readonly done: string
  readonly failed: string
  /** Milliseconds. */
  readonly stableFor: number
  readonly lease: number
}

export interface Place extends Settings {
  readonly matches: (name: string) => boolean
}

/** The settings or the folder cannot be used as they are. */
export class Unusable extends Error {
  override readonly name = "Unusable"
}

const subfolder = (root: string, option: string, name: string): string => {
  if (name === "" || name === "." || name === ".." || path.basename(name) !== name || name.includes("\\")) {
    throw new Unusable(`"${option}" must be the name of a subfolder of "${root}", not "${name}"`)
  }
  return path.join(root, name)
}

const ignored = /^\.|\.(tmp|part)$/i

const matcher = (pattern: string | RegExp | undefined) => (name: string): boolean => {
  if (ignored.test(name)) return false
  if (pattern === undefined) return true
  return typeof pattern === "string" ? path.matchesGlob(name, pattern) : name.search(pattern) >= 0
}

/** Makes a subfolder. It must be a real one, on the device of the folder: renaming into it has to be one step. */
const prepare = async (folder: string, device: number): Promise<void> => {
  await fs.mkdir(folder).catch((error: unknown) => {
    if (codeOf(error) !== "EEXIST") throw error
  })
  const stat = await fs.lstat(folder)
  if (!stat.isDirectory()) throw new Unusable(`"${folder}" must be a folder, and not a link to one`)
  if (stat.dev !== device) {
    throw new Unusable(`"${folder}" is on another device than the folder: a file could not be moved there in one step`)
  }
}

/** Checks the settings and makes the subfolders. Throws `Unusable`, or what the file system throws. */
export const openPlace = async (settings: Settings): Promise<Place> => {
  const root = await fs.realpath(settings.path)
  const stat = await fs.stat(root)
  if (!stat.isDirectory()) throw new Unusable(`"${settings.path}" is not a folder`)
  const processing = subfolder(root, "processing", settings.processing)
  const done = subfolder(root, "done", settings.done)
  const failed = subfolder(root, "failed", settings.failed)
  if (new Set([processing, done, failed]).size < 3) {
    throw new Unusable("\"processing\", \"done\" and \"failed\" must be three subfolders")
  }
  for (const folder of [processing, done, failed]) await prepare(folder, stat.dev)
  return { ...settings, path: root, processing, done, failed, matches: matcher(settings.pattern) }
}

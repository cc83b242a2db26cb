/**
 * The sidecar of a file: up to where it is done, kept so that a crash at any moment leaves the old position or the new
 * one.
 *
 * `node:fs` stands here in place of effect's FileSystem: a durable rename needs the fsync of the directory, and users
 * of this package need no platform layer then.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { codeOf } from "../ioReason.ts"
import type { Position } from "./records.ts"

/** A position up to which everything is done. `terminated`: a line break stands before it. */
export interface Done extends Position {
  readonly terminated: boolean
}

/** The sidecar cannot be used; the message says what to do. */
export class Unusable extends Error {
  override readonly name = "Unusable"
}

const Content = Schema.fromJsonString(Schema.Struct({
  version: Schema.Literal(1),
  offset: Schema.Natural,
  lines: Schema.Natural,
  terminated: Schema.Boolean,
  fingerprint: Schema.String
}))

const headLength = 4096
const tailLength = 256

/** A hash of the beginning of the file, and of what stands right before a position. Appending does not change it. */
const fingerprint = async (file: fs.FileHandle, offset: number): Promise<string> => {
  const hash = createHash("sha256")
  const bytes = Buffer.alloc(headLength)
  const head = Math.min(headLength, offset)
  const tail = Math.min(tailLength, offset)
  await file.read(bytes, 0, head, 0)
  hash.update(bytes.subarray(0, head))
  await file.read(bytes, 0, tail, offset - tail)
  return hash.update(bytes.subarray(0, tail)).digest("hex")
}

const readIfThere = async (sidecar: string): Promise<string | undefined> => {
  try {
    return await fs.readFile(sidecar, "utf8")
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  }
}

/** The position that is stored for this file, if any. Throws `Unusable`. */
export const load = async (sidecar: string, name: string, file: fs.FileHandle): Promise<Done | undefined> => {
  const text = await readIfThere(sidecar)
  if (text === undefined) return undefined
  const startOver = `Delete "${sidecar}" to read the file from its beginning`
  const content = Schema.decodeUnknownResult(Content)(text)
  if (Result.isFailure(content)) {
    throw new Unusable(`"${sidecar}" holds no position of "${name}": it is damaged, or something else. ${startOver}`)
  }
  const { lines, offset, terminated } = content.success
  const { size } = await file.stat()
  if (size < offset) {
    throw new Unusable(
      `"${sidecar}" says that "${name}" is done up to byte ${offset}, but it has ${size} bytes: it was cut or replaced. ` +
        startOver
    )
  }
  if (await fingerprint(file, offset) !== content.success.fingerprint) {
    throw new Unusable(
      `"${sidecar}" says that "${name}" is done up to byte ${offset}, but what stands before that has changed: the file ` +
        `was replaced or edited. ${startOver}`
    )
  }
  return { offset, lines, terminated }
}

/** Returns when the position is on disk. */
export const store = async (sidecar: string, file: fs.FileHandle, done: Done): Promise<void> => {
  const { lines, offset, terminated } = done
  const content = { version: 1, offset, lines, terminated, fingerprint: await fingerprint(file, offset) }
  const next = `${sidecar}.next`
  const written = await fs.open(next, "w")
  try {
    await written.writeFile(`${JSON.stringify(content)}\n`)
    await written.sync()
  } finally {
    await written.close()
  }
  await fs.rename(next, sidecar)
  const folder = await fs.open(path.dirname(sidecar), "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

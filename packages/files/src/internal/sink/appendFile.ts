/**
 * A file that only grows by whole records, and whose confirmed records are on disk.
 *
 *     opening ──▶ clean ──append──▶ writing ──fdatasync──▶ clean      (the length is raised)
 *        ▲          │                  └──failed──▶ dirty ──cut back to the length──▶ clean
 *        └──gone or changed by somebody else────────┘
 *
 * Opening locks the file, moves what stands behind its last complete record to `<path>.torn` (it was never confirmed),
 * and writes what a new file begins with. An append is one write and one fdatasync for the whole batch. After a failed
 * append the file is cut back to its last confirmed length, at once or before the next append. Nothing here is
 * concurrent: the sink lets one operation run at a time.
 *
 * `node:fs` stands here in place of effect's FileSystem because durability needs fdatasync, positional writes and the
 * fsync of a directory.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { codeOf } from "../ioReason.ts"
import { type Layout, Mismatch } from "./layout.ts"
import { type Lock, lock } from "../lock.ts"

/** The path that names the file itself, whatever links lead there: so that one file has one lock. */
const realPath = async (file: string): Promise<string> => {
  const folder = path.dirname(path.resolve(file))
  await fs.mkdir(folder, { recursive: true })
  try {
    return await fs.realpath(file)
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error
    return path.join(await fs.realpath(folder), path.basename(file))
  }
}

const syncFolder = async (file: string): Promise<void> => {
  const folder = await fs.open(path.dirname(file), "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A new file's name is on disk before anything in it is confirmed. */
const openOrCreate = async (file: string): Promise<fs.FileHandle> => {
  try {
    const created = await fs.open(file, "wx+")
    await syncFolder(file)
    return created
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error
    return await fs.open(file, "r+")
  }
}

const writeAll = async (handle: fs.FileHandle, bytes: Uint8Array, position: number): Promise<void> => {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}

const copyChunk = 64 * 1024

/** Moves what stands from `from` on to the end of another file. */
const setAside = async (handle: fs.FileHandle, from: number, size: number, to: string): Promise<void> => {
  const aside = await fs.open(to, "a")
  try {
    const chunk = Buffer.allocUnsafe(copyChunk)
    for (let at = from; at < size;) {
      const { bytesRead } = await handle.read(chunk, 0, Math.min(copyChunk, size - at), at)
      if (bytesRead === 0) break
      await aside.appendFile(chunk.subarray(0, bytesRead))
      at += bytesRead
    }
    await aside.appendFile("\n")
    await aside.datasync()
  } finally {
    await aside.close()
  }
}

interface Opened {
  readonly handle: fs.FileHandle
  /** The confirmed length. */
  length: number
  dirty: boolean
}

export class AppendFile {
  readonly path: string
  private readonly layout: Layout
  private readonly held: Lock
  private readonly warn: (message: string) => void
  private opened: Opened | undefined

  private constructor(file: string, layout: Layout, held: Lock, warn: (message: string) => void) {
    this.path = file
    this.layout = layout
    this.held = held
    this.warn = warn
  }

  /** Throws `Locked`, `Mismatch`, or what the file system throws; nothing stays open then. */
  static async open(file: string, layout: Layout, warn: (message: string) => void): Promise<AppendFile> {
    const real = await realPath(file)
    const self = new AppendFile(real, layout, await lock(real), warn)
    try {
      await self.ready()
      return self
    } catch (error) {
      await self.close()
      throw error
    }
  }

  /** Returns when the bytes, whole records, are on disk. When it throws, none of them counts as written. */
  async append(bytes: Uint8Array): Promise<void> {
    const opened = await this.ready()
    await this.write(opened, bytes)
  }

  async close(): Promise<void> {
    try {
      await this.closeHandle()
    } finally {
      await this.held.release()
    }
  }

  /** The file, open and as long as what was confirmed: opened again when it was removed or changed meanwhile. */
  private async ready(): Promise<Opened> {
    const { opened } = this
    if (opened !== undefined) {
      if (opened.dirty) await this.cutBack(opened)
      const { nlink, size } = await opened.handle.stat()
      if (nlink > 0 && size === opened.length) return opened
      this.warn(
        nlink === 0
          ? `"${this.path}" was removed while it was open: a new one is begun`
          : `"${this.path}" was changed by somebody else: it is opened again`
      )
      await this.closeHandle()
    }
    const handle = await openOrCreate(this.path)
    try {
      const next = await this.prepare(handle)
      this.opened = next
      return next
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  private async prepare(handle: fs.FileHandle): Promise<Opened> {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new Mismatch(`"${this.path}" is not a regular file`)
    const { length, missing } = await this.layout.inspect(handle, stat.size, this.path)
    if (length < stat.size) {
      const aside = `${this.path}.torn`
      await setAside(handle, length, stat.size, aside)
      await handle.truncate(length)
      this.warn(
        `"${this.path}" ended in the middle of a record: its last ${stat.size - length} bytes, which were never ` +
          `confirmed, are now in "${aside}"`
      )
    }
    const opened: Opened = { handle, length, dirty: false }
    if (missing.length > 0 || length < stat.size) await this.write(opened, Buffer.from(missing))
    return opened
  }

  private async write(opened: Opened, bytes: Uint8Array): Promise<void> {
    opened.dirty = true
    try {
      await writeAll(opened.handle, bytes, opened.length)
      await opened.handle.datasync()
      opened.length += bytes.length
      opened.dirty = false
    } catch (error) {
      await this.cutBack(opened).catch(() => undefined)
      throw error
    }
  }

  private async cutBack(opened: Opened): Promise<void> {
    await opened.handle.truncate(opened.length)
    opened.dirty = false
  }

  private async closeHandle(): Promise<void> {
    const { opened } = this
    this.opened = undefined
    if (opened === undefined) return
    if (opened.dirty) await this.cutBack(opened).catch(() => undefined)
    await opened.handle.close()
  }
}

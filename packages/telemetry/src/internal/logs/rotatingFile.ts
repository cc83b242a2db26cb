/**
 * A log file that is buffered, bounded and rotated, and survives whatever happens to its disk.
 *
 * States:
 * - `idle`: nothing to write.
 * - `waiting`: lines are buffered; they are written after `delay`, or at once when a quarter of the buffer is full.
 * - `writing`: a chunk is on its way. Its size is what fits into the file before the next rotation.
 * - `failing`: writing failed (the disk is full, the folder is gone). What is buffered stays, the rest of a chunk that
 *   was cut continues where it stopped; a line that finds the buffer full is dropped and counted. Tried again every
 *   second. One line on stderr, at most every minute.
 * - `closed`: lines are dropped.
 *
 * Transitions: `idle -> waiting` (a line), `waiting -> writing` (delay or size), `writing -> idle | writing | failing`,
 * `failing -> writing` (a second later; where lines were dropped stands a line that says how many), any `-> closed`.
 */
import * as nodeFs from "node:fs"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { dayOf, prune, type Retention, rotate } from "./rotation.ts"

export interface Settings {
  readonly path: string
  /** Bytes after which a new file begins; `null` for no bound. A longer line has a file of its own. */
  readonly size: number | null
  readonly daily: boolean
  readonly keep: Retention
  /** Milliseconds that lines are gathered for. */
  readonly delay: number
  /** Bytes that wait at most. */
  readonly buffer: number
}

export interface Surroundings {
  readonly now: () => number
  /** Says, without the log, that something is wrong with it. */
  readonly complain: (text: string) => void
  /** The line that stands where lines were dropped. */
  readonly dropped: (lines: number) => string
  readonly retry: number
}

const mostOfChunk = 256 * 1024
const betweenComplaints = 60_000

const codeOf = (error: unknown): string =>
  error instanceof Error ? "code" in error ? String(error.code) : error.message : String(error)

interface Open {
  readonly handle: fs.FileHandle
  readonly inode: number
  /** The day in which its last line was written. */
  day: string
  size: number
}

export class RotatingFile {
  readonly #settings: Settings
  readonly #around: Surroundings
  #lines: Array<Buffer> = []
  #buffered = 0
  #chunk: Buffer | undefined
  #chunkLines = 0
  #open: Open | undefined
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #failing = false
  #closed = false
  #dropped = 0
  #complained = -Infinity

  constructor(settings: Settings, around: Surroundings) {
    this.#settings = settings
    this.#around = around
  }

  /** Takes a line; never waits, never throws. */
  write(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    if (this.#closed || this.#buffered + bytes.byteLength > this.#settings.buffer) {
      this.#dropped++
      if (!this.#closed && !this.#failing) this.#complain("its buffer is full")
      return
    }
    this.#markDropped()
    this.#push(bytes)
    if (this.#writing === undefined && !this.#failing) {
      this.#schedule(this.#buffered > this.#settings.buffer / 4 ? 0 : this.#settings.delay)
    }
  }

  /** Writes what is buffered; one try when the disk refuses. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#writing
    await this.#writeAll()
    const lost = this.#lines.length + this.#chunkLines + this.#dropped
    if (lost > 0) this.#complain(`${lost} lines are lost`, true)
    this.#forget()
    await this.#release()
  }

  /** The end of the process has come without `close`: what has not begun to be written is written at once. */
  flushSync(): void {
    if (this.#closed || this.#lines.length === 0) return
    this.#closed = true
    try {
      nodeFs.appendFileSync(this.#settings.path, Buffer.concat(this.#lines))
    } catch (error) {
      this.#complain(codeOf(error), true)
    }
  }

  #push(line: Buffer): void {
    this.#lines.push(line)
    this.#buffered += line.byteLength
  }

  /** Where lines were dropped stands how many. */
  #markDropped(): void {
    if (this.#dropped === 0) return
    this.#push(Buffer.from(`${this.#around.dropped(this.#dropped)}\n`))
    this.#dropped = 0
  }

  #forget(): void {
    this.#lines = []
    this.#buffered = 0
    this.#chunk = undefined
    this.#chunkLines = 0
    this.#dropped = 0
  }

  #schedule(delay: number): void {
    if (this.#timer !== undefined) {
      if (delay > 0) return
      clearTimeout(this.#timer)
    }
    this.#timer = setTimeout(() => this.#begin(), delay)
    this.#timer.unref()
  }

  #begin(): void {
    this.#timer = undefined
    if (this.#writing !== undefined || this.#closed) return
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = undefined
      if (this.#closed) return
      if (this.#failing) this.#schedule(this.#around.retry)
      else if (this.#lines.length > 0) this.#schedule(this.#settings.delay)
    })
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#chunk !== undefined || this.#lines.length > 0) {
        await this.#writeChunk()
        if (this.#lines.length === 0) this.#markDropped()
      }
      this.#failing = false
    } catch (error) {
      this.#failing = true
      this.#complain(codeOf(error))
      // The folder may have been taken away, or the disk: the next try opens the file anew.
      if (this.#chunk === undefined) await this.#release()
    }
  }

  async #writeChunk(): Promise<void> {
    const open = await this.#ready()
    if (this.#chunk === undefined) {
      if (await this.#isDue(open)) return
      this.#chunk = this.#take(open)
    }
    open.day = dayOf(this.#around.now())
    while (this.#chunk.byteLength > 0) {
      const { bytesWritten } = await open.handle.write(this.#chunk)
      open.size += bytesWritten
      this.#buffered -= Math.min(this.#buffered, bytesWritten)
      this.#chunk = this.#chunk.subarray(bytesWritten)
    }
    this.#chunk = undefined
    this.#chunkLines = 0
  }

  /** The lines that go into the file before the next rotation, at least one. */
  #take(open: Open): Buffer {
    const { size } = this.#settings
    let bytes = 0
    let count = 0
    for (const line of this.#lines) {
      const next = bytes + line.byteLength
      if (count > 0 && (next > mostOfChunk || size !== null && open.size + next > size)) break
      bytes = next
      count++
    }
    const taken = this.#lines.slice(0, count)
    this.#lines = this.#lines.slice(count)
    this.#chunkLines = count
    return Buffer.concat(taken, bytes)
  }

  /** Rotates the file when the next line belongs into a new one. */
  async #isDue(open: Open): Promise<boolean> {
    const { daily, keep, path: file, size } = this.#settings
    const next = this.#lines[0]?.byteLength ?? 0
    const full = size !== null && open.size > 0 && open.size + next > size
    const over = daily && open.size > 0 && open.day !== dayOf(this.#around.now())
    if (!full && !over) return false
    try {
      await rotate(file, open.day)
      await this.#release()
      await prune(file, keep, this.#around.now())
      return true
    } catch (error) {
      // A file that is too long is better than lines that are lost.
      this.#complain(`rotating: ${codeOf(error)}`)
      return this.#open === undefined
    }
  }

  /** The file, opened anew when someone else has moved it aside. */
  async #ready(): Promise<Open> {
    const file = this.#settings.path
    if (this.#open !== undefined) {
      const there = await fs.stat(file).catch(() => undefined)
      if (there?.ino === this.#open.inode) return this.#open
      await this.#release()
    }
    await fs.mkdir(path.dirname(file), { recursive: true })
    const handle = await fs.open(file, "a", 0o640)
    const stats = await handle.stat()
    this.#open = {
      handle,
      inode: stats.ino,
      day: dayOf(stats.size > 0 ? stats.mtimeMs : this.#around.now()),
      size: stats.size
    }
    return this.#open
  }

  async #release(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    await open?.handle.close().catch(() => undefined)
  }

  #complain(reason: string, last = false): void {
    const now = this.#around.now()
    if (!last && now - this.#complained < betweenComplaints) return
    this.#complained = now
    this.#around.complain(`the log file ${this.#settings.path} cannot be written (${reason})`)
  }
}

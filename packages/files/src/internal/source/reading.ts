/**
 * One open file, read from its stored position to its end: what the connector hands over and settles.
 *
 *     reading ──nothing more, not following──▶ ended
 *        │  ▲
 *        │  └──appended to── waiting (following)
 *        └──close──▶ closed
 *
 * Taking deliveries is synchronous; filling reads one chunk and is never run twice at once. Nothing is read ahead of
 * what was asked for, but for the rest of a chunk.
 */
import { Delivery, Transaction } from "@ergon/core"
import { isUtf8 } from "node:buffer"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import type { Boundary } from "./boundary.ts"
import { bad, type Parser } from "./parser.ts"
import { type RawRecord, Records } from "./records.ts"
import { type Done, load, store } from "./sidecar.ts"

/** What is read, and how. */
export interface Settings {
  readonly path: string
  /** The path of the sidecar, if there is one. */
  readonly sidecar: string | undefined
  readonly follow: boolean
  readonly maxLine: number
  /** How many bytes are read at once. */
  readonly chunk: number
  readonly boundary: () => Boundary
  readonly parser: () => Parser
  /** The id of a payload. What it throws, or answers other than a text, makes the record malformed. */
  readonly id: ((payload: unknown) => unknown) | undefined
}

/** The receipt of a delivery: its place in the file, for one reading of it. */
export class Place implements Done {
  readonly reading: Reading
  readonly start: number
  readonly offset: number
  readonly lines: number
  readonly terminated: boolean

  constructor(reading: Reading, record: RawRecord) {
    this.reading = reading
    this.start = record.start
    this.offset = record.end
    this.lines = record.lines
    this.terminated = record.terminated
  }
}

/** The file is not what it was, or not what it has to be; the message says why. */
export class Changed extends Error {
  override readonly name = "Changed"
}

const lineFeed = 10
const carriageReturn = 13

/** Throws `Changed` where there is something else. */
export const checkFile = async (path: string): Promise<void> => {
  const stat = await fs.stat(path)
  if (!stat.isFile()) throw new Changed(`"${path}" is ${stat.isDirectory() ? "a directory" : "no regular file"}`)
}

export class Reading {
  readonly settings: Settings
  private readonly name: string
  private readonly file: fs.FileHandle
  private readonly records: Records
  private readonly parser: Parser
  private pending: RawRecord | undefined
  /** Given back: the last one first. */
  private readonly returned: Array<Delivery.Delivery> = []
  private done: Done
  /** What was read last had no line break yet, in an earlier reading. */
  private unbroken = false
  private atEnd = false
  /** What is wrong with the header. */
  private broken: string | undefined

  private constructor(settings: Settings, file: fs.FileHandle, parser: Parser, done: Done | undefined) {
    this.settings = settings
    this.name = path.basename(settings.path)
    this.file = file
    this.parser = parser
    this.done = done ?? { offset: 0, lines: 0, terminated: true }
    this.records = new Records(settings.boundary(), { maxRecord: settings.maxLine, chunk: settings.chunk })
  }

  /** Throws `Unusable`, `Changed`, or what the file system throws; nothing stays open then. */
  static async open(settings: Settings): Promise<Reading> {
    const file = await fs.open(settings.path, "r")
    try {
      const done = settings.sidecar === undefined ? undefined : await load(settings.sidecar, settings.path, file)
      const self = new Reading(settings, file, settings.parser(), done)
      while (self.parser.wantsHeader && !self.ended && await self.fill()) self.takeHeader()
      if (done !== undefined) self.resume(done)
      return self
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Everything was read and handed over, and nothing was given back. */
  get ended(): boolean {
    return this.atEnd && this.pending === undefined && this.returned.length === 0
  }

  /** At most `max`, of what is there without reading. Throws `Changed`. */
  take(max: number): ReadonlyArray<Delivery.Delivery> {
    const deliveries: Array<Delivery.Delivery> = []
    while (deliveries.length < max) {
      const delivery = this.returned.pop() ?? this.nextDelivery()
      if (delivery === undefined) break
      deliveries.push(delivery)
    }
    return deliveries
  }

  /** Makes something there by reading; `false` when nothing more is in the file now. Throws `Changed`. */
  async fill(): Promise<boolean> {
    this.pending ??= this.records.next()
    if (this.pending !== undefined || this.returned.length > 0) return true
    if (this.atEnd) return false
    if (this.unbroken && !await this.passBreak()) return false
    const space = this.records.space()
    const { bytesRead } = await this.file.read(space, 0, space.length, this.records.offset)
    this.records.filled(bytesRead)
    if (bytesRead > 0) return true
    await this.checkSize()
    if (this.settings.follow) {
      await this.checkName()
      return false
    }
    const reached = this.records.offset
    this.pending = this.records.last()
    this.atEnd = this.records.offset === reached
    return this.pending !== undefined
  }

  giveBack(delivery: Delivery.Delivery, place: Place): void {
    if (place.offset <= this.done.offset || this.returned.includes(delivery)) return
    const startOf = ({ receipt }: Delivery.Delivery) => receipt instanceof Place ? receipt.start : 0
    const at = this.returned.findIndex((other) => startOf(other) < place.start)
    this.returned.splice(at < 0 ? this.returned.length : at, 0, delivery)
  }

  /** Everything up to this place is done. Returns when that is on disk. */
  async commit(place: Place): Promise<void> {
    if (place.offset <= this.done.offset) return
    const { lines, offset, terminated } = place
    const { sidecar } = this.settings
    if (sidecar !== undefined) await store(sidecar, this.file, { offset, lines, terminated })
    this.done = { offset, lines, terminated }
    const open = this.returned.filter(({ receipt }) => receipt instanceof Place && receipt.offset > offset)
    this.returned.splice(0, Infinity, ...open)
  }

  /** Whether the file is still there. */
  async check(): Promise<void> {
    await this.file.stat()
  }

  async close(): Promise<void> {
    await this.file.close()
  }

  private resume(done: Done): void {
    this.records.seek(done)
    this.pending = undefined
    this.atEnd = false
    this.unbroken = !done.terminated
  }

  private nextDelivery(): Delivery.Delivery | undefined {
    for (;;) {
      if (this.parser.wantsHeader) this.takeHeader()
      const record = this.pending ?? this.records.next()
      this.pending = undefined
      if (record === undefined) return undefined
      const delivery = this.deliver(record)
      if (delivery !== undefined) return delivery
    }
  }

  /** Takes the first record that is not blank, if it is there. */
  private takeHeader(): void {
    while (this.parser.wantsHeader && this.broken === undefined) {
      const record = this.pending ?? this.records.next()
      this.pending = undefined
      if (record === undefined) return
      const { problem, text } = textOf(record, this.settings.maxLine)
      if (text !== "") this.broken = problem ?? this.parser.header(text)
    }
    if (this.broken === undefined) return
    throw new Changed(`the header of "${this.settings.path}" cannot be used: ${this.broken}`)
  }

  /** `undefined` for a blank line. */
  private deliver(record: RawRecord): Delivery.Delivery | undefined {
    const { problem, text } = textOf(record, this.settings.maxLine)
    const parsed = problem === undefined ? this.parser.parse(text) : bad(text, problem)
    if (parsed === undefined) return undefined
    let { malformed } = parsed
    let id = parsed.id
    if (id === undefined && malformed === undefined && this.settings.id !== undefined) {
      id = idOf(this.settings.id, parsed.payload)
      if (id === undefined) malformed = "no id: it must be a text that is not empty"
    }
    const place = { file: this.settings.path, line: record.line, offset: record.start }
    const metadata = parsed.metadata === undefined ? place : { ...parsed.metadata, ...place }
    return Delivery.make(Transaction.make(id ?? `${this.name}:${record.line}`, parsed.payload, metadata), {
      receipt: new Place(this, record),
      partition: this.settings.path,
      malformed: malformed === undefined ? undefined : `${this.settings.path}:${record.line}: ${malformed}`
    })
  }

  /**
   * Passes the line break that ends what an earlier reading took for the last line. `false` while it is not there.
   */
  private async passBreak(): Promise<boolean> {
    const bytes = Buffer.alloc(2)
    const { lines, offset } = this.records.position
    const { bytesRead } = await this.file.read(bytes, 0, 2, offset)
    if (bytesRead === 0 || (bytesRead === 1 && bytes[0] === carriageReturn)) {
      await this.checkSize()
      this.atEnd = !this.settings.follow
      return false
    }
    const length = bytes[0] === lineFeed ? 1 : bytes[0] === carriageReturn && bytes[1] === lineFeed ? 2 : 0
    if (length === 0) {
      throw new Changed(
        `line ${
          lines + 1
        } of "${this.settings.path}" was its last, had no line break, and is done; now it goes on at ` +
          `byte ${offset}. Read files that are still written with follow: true, which waits for the line break`
      )
    }
    this.records.seek({ offset: offset + length, lines: lines + 1 })
    this.unbroken = false
    return true
  }

  /** A file that is followed must stay where it was: what replaced it has other positions. */
  private async checkName(): Promise<void> {
    const own = await this.file.stat()
    const there = await fs.stat(this.settings.path)
    if (own.ino === there.ino && own.dev === there.dev) return
    throw new Changed(`"${this.settings.path}" was replaced by another file while it was followed`)
  }

  private async checkSize(): Promise<void> {
    const { size } = await this.file.stat()
    if (size < this.records.offset) {
      throw new Changed(
        `"${this.settings.path}" was cut to ${size} bytes while it was read: byte ${this.records.offset} was reached`
      )
    }
  }
}

const lengthOfText = (bytes: Uint8Array): number => {
  const { length } = bytes
  if (bytes[length - 1] !== lineFeed) return length
  return bytes[length - 2] === carriageReturn ? length - 2 : length - 1
}

/** The text of a record without its line break, and what is wrong with it before it is parsed. */
const textOf = (
  record: RawRecord,
  maxLine: number
): { readonly text: string; readonly problem: string | undefined } => {
  const { bytes, flaw } = record
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, lengthOfText(bytes)).toString("utf8")
  switch (flaw) {
    case "overlong":
      return { text, problem: `longer than ${maxLine} bytes; only its beginning is kept` }
    case "unclosed":
      return { text, problem: "a quoted field that begins in this line is not closed before the end of the file" }
    case undefined:
      return { text, problem: text.includes("\ufffd") && !isUtf8(bytes) ? "not valid UTF-8" : undefined }
  }
}

const idOf = (id: (payload: unknown) => unknown, payload: unknown): string | undefined => {
  try {
    const own = id(payload)
    return typeof own === "string" && own !== "" ? own : undefined
  } catch {
    return undefined
  }
}

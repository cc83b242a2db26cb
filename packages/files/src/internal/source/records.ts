/**
 * Splits a file into records as its bytes come in, and knows where each of them stands.
 *
 * One buffer holds what was read and not taken yet. It grows up to the longest record that is allowed; of a longer one
 * only the beginning is kept, and the rest is scanned and dropped.
 *
 *     gathering ──end found──▶ record
 *         │ longer than allowed
 *         ▼
 *     dropping ──end found──▶ over-long record
 *         │ the file ends inside a quoted field: only the first line of the record is given up, and the
 *         ▼ reading goes on after it
 *     rewound
 */
import type { Boundary } from "./boundary.ts"

/** Why the bytes of a record are not to be parsed. */
export type Flaw = "overlong" | "unclosed"

/** A record as it stands in the file. `bytes` is valid until the next call. */
export interface RawRecord {
  readonly bytes: Uint8Array
  /** Byte offsets of its beginning, and of the byte after its line break. */
  readonly start: number
  readonly end: number
  /** The line it begins in, from 1, and the number of line breaks up to its end. */
  readonly line: number
  readonly lines: number
  /** Whether a line break ends it: the last one of a file may have none. */
  readonly terminated: boolean
  readonly flaw: Flaw | undefined
}

/** A place between two records. */
export interface Position {
  readonly offset: number
  /** How many line breaks stand before it. */
  readonly lines: number
}

/** How much is kept of a record that is too long. */
const excerpt = 4096

const byteOrderMark = [0xef, 0xbb, 0xbf]

export class Records {
  private readonly boundary: Boundary
  private readonly maxRecord: number
  private readonly chunk: number
  private buffer: Uint8Array
  /** What was read and not taken is `buffer[head, tail)`; up to `scanned` it was looked at. */
  private head = 0
  private scanned = 0
  private tail = 0
  /** The offset in the file of `buffer[tail]`: where to read on. */
  private readAt = 0
  private start = 0
  private lines = 0
  private dropped: Uint8Array | undefined
  private begun = false

  constructor(boundary: Boundary, options: { readonly maxRecord: number; readonly chunk: number }) {
    this.boundary = boundary
    this.maxRecord = options.maxRecord
    this.chunk = options.chunk
    this.buffer = Buffer.allocUnsafe(options.chunk)
  }

  /** Where the record begins that comes next. */
  get position(): Position {
    return { offset: this.start, lines: this.lines }
  }

  /** The offset of the first byte that was not read yet. */
  get offset(): number {
    return this.readAt
  }

  /** Goes to a place between two records. */
  seek({ lines, offset }: Position): void {
    this.head = this.scanned = this.tail = 0
    this.readAt = this.start = offset
    this.lines = lines
    this.dropped = undefined
    this.begun = offset > 0
    this.boundary.reset()
  }

  /** Where to put the next bytes of the file. Call `filled` with their number. */
  space(): Uint8Array {
    if (this.head > 0) {
      this.buffer.copyWithin(0, this.head, this.tail)
      this.scanned -= this.head
      this.tail -= this.head
      this.head = 0
    }
    if (this.tail === 0 && this.buffer.length > this.chunk) this.buffer = Buffer.allocUnsafe(this.chunk)
    else if (this.buffer.length - this.tail < this.chunk / 2) {
      const larger = Buffer.allocUnsafe(2 * this.buffer.length)
      larger.set(this.buffer.subarray(0, this.tail))
      this.buffer = larger
    }
    return this.buffer.subarray(this.tail, Math.min(this.buffer.length, this.tail + this.chunk))
  }

  filled(count: number): void {
    this.tail += count
    this.readAt += count
  }

  /** The next complete record, if it has been read. */
  next(): RawRecord | undefined {
    if (!this.begun) this.begin(false)
    if (!this.begun || this.scanned === this.tail) return undefined
    const end = this.boundary.scan(this.buffer, this.scanned, this.tail)
    if (end >= 0) return this.take(end, true)
    this.scanned = this.tail
    const length = this.tail - this.head
    if (this.dropped === undefined && length <= this.maxRecord) return undefined
    this.dropped ??= copy(this.buffer.subarray(this.head, this.head + Math.min(length, this.kept)))
    this.head = this.tail
    return undefined
  }

  /**
   * The last record, once the file has ended and `next` has nothing more. Where that is only the first line of what was
   * read, reading goes on behind it: `offset` has moved back.
   */
  last(): RawRecord | undefined {
    if (!this.begun) this.begin(true)
    const { boundary, lines, start } = this
    if (start === this.readAt) return undefined
    if (!boundary.quoted) return this.take(this.tail, false)
    const terminated = boundary.firstLine >= 0
    const length = terminated ? boundary.firstLine : this.readAt - start
    const read = this.dropped ?? this.buffer.subarray(this.head, this.tail)
    const bytes = copy(read.subarray(0, Math.min(length, this.kept)))
    this.seek({ offset: start + length, lines: terminated ? lines + 1 : lines })
    return { bytes, start, end: this.start, line: lines + 1, lines: this.lines, terminated, flaw: "unclosed" }
  }

  /** Skips a byte order mark, as soon as enough was read to know. */
  private begin(ended: boolean): void {
    const known = Math.min(this.tail, byteOrderMark.length)
    const marked = byteOrderMark.slice(0, known).every((byte, index) => this.buffer[index] === byte)
    if (marked && known < byteOrderMark.length && !ended) return
    this.begun = true
    if (marked && known === byteOrderMark.length) this.head = this.scanned = this.start = known
  }

  private take(end: number, terminated: boolean): RawRecord {
    const { boundary, dropped, start } = this
    const line = this.lines + 1
    const length = this.readAt - (this.tail - end) - start
    const overlong = (terminated ? length - 1 : length) > this.maxRecord
    const bytes = dropped ?? this.buffer.subarray(this.head, overlong ? this.head + this.kept : end)
    this.start += length
    this.lines += boundary.lines
    this.head = this.scanned = end
    this.dropped = undefined
    boundary.reset()
    return {
      bytes,
      start,
      end: this.start,
      line,
      lines: this.lines,
      terminated,
      flaw: overlong ? "overlong" : undefined
    }
  }

  private get kept(): number {
    return Math.min(excerpt, this.maxRecord)
  }
}

const copy = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes)

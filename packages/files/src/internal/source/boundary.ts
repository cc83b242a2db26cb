/**
 * Where a record ends: byte scanners that are fed one piece of a file after the other.
 *
 * Both look at ASCII bytes only, which never occur inside a longer UTF-8 sequence: nothing is decoded to find the end
 * of a record.
 *
 * The CSV codec of effect is not used for reading: it stops at the first bad record and knows no byte offsets, and a
 * source has to go on after a bad record and to name the byte at which it can resume.
 */

/** Looks for the end of one record after the other. */
export interface Boundary {
  /** Scans `bytes[from, to)`. The index after the record's last byte, or -1 where it does not end here. */
  readonly scan: (bytes: Uint8Array, from: number, to: number) => number
  /** How many line feeds were seen in the current record. */
  readonly lines: number
  /** How many bytes of the current record were scanned before its first line feed was found; -1 before that. */
  readonly firstLine: number
  /** Inside a quoted field. */
  readonly quoted: boolean
  /** Begins a new record. */
  readonly reset: () => void
}

const lineFeed = 10
const quote = 34

/** A record is a line. */
export class LineBoundary implements Boundary {
  lines = 0
  readonly firstLine = -1
  readonly quoted = false

  scan(bytes: Uint8Array, from: number, to: number): number {
    const at = bytes.indexOf(lineFeed, from)
    if (at < 0 || at >= to) return -1
    this.lines = 1
    return at + 1
  }

  reset(): void {
    this.lines = 0
  }
}

// States of the scanner. `closing`: after a quote inside a quoted field, which ends the field or escapes a quote.
const fieldStart = 0
const unquoted = 1
const quotedField = 2
const closing = 3

/**
 * A record is a line of RFC 4180: line feeds inside quoted fields belong to it. A quote opens a field only at its
 * beginning, so that a stray one costs its own line and no other.
 */
export class QuotedBoundary implements Boundary {
  lines = 0
  firstLine = -1
  private scanned = 0
  private state = fieldStart
  private readonly delimiter: number

  constructor(delimiter: string) {
    this.delimiter = delimiter.charCodeAt(0)
  }

  get quoted(): boolean {
    return this.state === quotedField
  }

  scan(bytes: Uint8Array, from: number, to: number): number {
    const { delimiter } = this
    let { state } = this
    for (let at = from; at < to; at++) {
      const byte = bytes[at]
      if (byte === lineFeed) {
        this.lines++
        if (this.firstLine < 0) this.firstLine = this.scanned + at + 1 - from
        if (state !== quotedField) {
          this.state = fieldStart
          return at + 1
        }
      } else if (state === quotedField) {
        if (byte === quote) state = closing
      } else if (byte === delimiter) state = fieldStart
      else if (byte === quote && (state === closing || state === fieldStart)) state = quotedField
      else state = unquoted
    }
    this.state = state
    this.scanned += to - from
    return -1
  }

  reset(): void {
    this.lines = 0
    this.firstLine = -1
    this.scanned = 0
    this.state = fieldStart
  }
}

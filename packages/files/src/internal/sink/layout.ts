/**
 * How a kind of file is laid out, as far as appending to it needs to know: up to where it is whole, and what has to be
 * written before the first record.
 */
import type { FileHandle } from "node:fs/promises"

/** The file is there and does not fit: appending would spoil it. */
export class Mismatch extends Error {
  override readonly name = "Mismatch"
}

export interface Inspected {
  /** The length of what is whole. What stands behind it is the rest of a write that was cut short. */
  readonly length: number
  /** What has to follow that, before the first record. */
  readonly missing: string
}

export interface Layout {
  /** Looks at a file of this size, and changes nothing. Throws `Mismatch`. */
  readonly inspect: (file: FileHandle, size: number, path: string) => Promise<Inspected>
}

const chunkSize = 64 * 1024
const lineFeed = 10

/** Where the last line that ends in a line feed ends, looking from the end. Worst case: one line is read. */
const lastLineEnd = async (file: FileHandle, size: number): Promise<number> => {
  const chunk = Buffer.allocUnsafe(chunkSize)
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - chunkSize)
    const { bytesRead } = await file.read(chunk, 0, end - start, start)
    const index = chunk.subarray(0, bytesRead).lastIndexOf(lineFeed)
    if (index >= 0) return start + index + 1
    end = start
  }
  return 0
}

const longestTail = 16 * 1024 * 1024

/** Whether a text is a JSON value that is no value any more when its end is missing: `12` could be the half of `1234`. */
const isWhole = (text: string): boolean => {
  if (!/^\s*["[{]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** A record is a line of JSON. A last line that lacks nothing but its line end, as other programs write it, is kept. */
export const lines: Layout = {
  inspect: async (file, size) => {
    const length = await lastLineEnd(file, size)
    if (length === size || size - length > longestTail) return { length, missing: "" }
    const tail = Buffer.alloc(size - length)
    await file.read(tail, 0, tail.length, length)
    return isWhole(tail.toString("utf8")) ? { length: size, missing: "\n" } : { length, missing: "" }
  }
}

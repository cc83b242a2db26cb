/**
 * How a kind of file is laid out, as far as appending to it needs to know: where its last complete record ends, and what
 * it begins with.
 */
import type { FileHandle } from "node:fs/promises"

/** The file is there and does not fit: appending would spoil it. */
export class Mismatch extends Error {
  override readonly name = "Mismatch"
}

export interface Layout {
  /** The length of the file up to the end of its last complete record. */
  readonly completeLength: (file: FileHandle, size: number) => Promise<number>
  /** What has to be written before the first record of a file of this length. Throws `Mismatch`. */
  readonly preamble: (file: FileHandle, size: number, path: string) => Promise<string>
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

/** A record is a line. */
export const lines: Layout = {
  completeLength: lastLineEnd,
  preamble: () => Promise.resolve("")
}

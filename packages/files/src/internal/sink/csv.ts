/**
 * CSV as RFC 4180 has it: rows of text cells, written one at a time, and what appending to such a file needs to know.
 *
 * A quoted cell may hold line breaks, so only the quotes before a line break say whether it ends a row: where their
 * number is even. Finding the end of the last row therefore reads the whole file once, at about the speed of the disk.
 *
 * effect's encoder is a channel over a stream; a sink writes the rows of one batch in one step, so the few rules of
 * quoting stand here.
 */
import type { FileHandle } from "node:fs/promises"
import { type Layout, Mismatch } from "./layout.ts"

const special = /[",\r\n]/
const byteOrderMark = 0xfeff

const cell = (value: string): string =>
  special.test(value) || value.charCodeAt(0) === byteOrderMark ? `"${value.replaceAll("\"", "\"\"")}"` : value

/** One row with its line end. A row of one empty cell is quoted, so that it is no empty line. */
export const row = (cells: ReadonlyArray<string>, lineEnd: string): string =>
  cells.length === 1 && cells[0] === "" ? `""${lineEnd}` : cells.map(cell).join(",") + lineEnd

const quote = 34
const lineFeed = 10
const chunkSize = 1024 * 1024

const lastRowEnd = async (file: FileHandle, size: number): Promise<number> => {
  const chunk = Buffer.allocUnsafe(Math.min(chunkSize, size))
  let quoted = false
  let end = 0
  for (let at = 0; at < size;) {
    const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, size - at), at)
    if (bytesRead === 0) break
    for (let index = 0; index < bytesRead; index++) {
      const byte = chunk[index]
      if (byte === quote) quoted = !quoted
      else if (byte === lineFeed && !quoted) end = at + index + 1
    }
    at += bytesRead
  }
  return end
}

/** The cells of the first row of a text, and its line end; `undefined` when the text ends before the row does. */
export const firstRow = (
  text: string
): { readonly cells: ReadonlyArray<string>; readonly lineEnd: string } | undefined => {
  const cells: Array<string> = []
  let current = ""
  let quoted = false
  for (let index = text.charCodeAt(0) === byteOrderMark ? 1 : 0; index < text.length; index++) {
    const character = text[index]
    if (quoted) {
      if (character !== "\"") current += character
      else if (text[index + 1] === "\"") current += text[++index]
      else quoted = false
    } else if (character === "\"") {
      quoted = true
    } else if (character === ",") {
      cells.push(current)
      current = ""
    } else if (character === "\n") {
      const crlf = text[index - 1] === "\r" && current.endsWith("\r")
      cells.push(crlf ? current.slice(0, -1) : current)
      return { cells, lineEnd: crlf ? "\r\n" : "\n" }
    } else {
      current += character
    }
  }
  return undefined
}

const longestHeader = 1024 * 1024

const read = async (file: FileHandle, size: number): Promise<string> => {
  const buffer = Buffer.alloc(Math.min(size, longestHeader))
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
  return buffer.toString("utf8", 0, bytesRead)
}

/** How a line ends in a file that exists; in a new one as RFC 4180 says. */
export interface Dialect {
  lineEnd: string
}

/** Rows under a header of these columns. Sets the dialect to that of the file. */
export const rows = (columns: ReadonlyArray<string>, dialect: Dialect): Layout => ({
  inspect: async (file, size, path) => {
    const missing = row(columns, dialect.lineEnd)
    if (size === 0) return { length: 0, missing }
    const text = await read(file, size)
    const header = firstRow(text)
    // A header that is cut short is one of ours, whose write came to no end.
    if (header === undefined && missing.startsWith(text)) return { length: 0, missing }
    const found = header?.cells ?? []
    if (found.length !== columns.length || found.some((name, at) => name !== columns[at])) {
      throw new Mismatch(
        `the header of "${path}" is [${found.join(", ")}], the columns of the sink are [${columns.join(", ")}]`
      )
    }
    dialect.lineEnd = header?.lineEnd ?? dialect.lineEnd
    return { length: await lastRowEnd(file, size), missing: "" }
  }
})

/**
 * Lines at the bottom of a terminal that are drawn again and again, while everything else that is written to it goes
 * above them.
 *
 *     hidden -> drawn -> hidden      drawn: the lines stand at the bottom, the cursor is behind the last one
 *                                    hidden: something is being written, or it has not ended its line yet
 *
 * Whoever writes to stdout or stderr of this process need not know: both are led through here until `close`.
 */
import { stripVTControlCharacters } from "node:util"

/** As much of a stream as is needed. */
export interface Screen {
  write: (chunk: never, ...rest: ReadonlyArray<never>) => boolean
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

export interface Terminal {
  /** How much room there is. */
  readonly size: () => { readonly columns: number; readonly rows: number }
  /** Draws these lines in place of those drawn before; none takes them away. */
  readonly draw: (lines: ReadonlyArray<string>) => void
  /** Takes the lines away and lets everything be as it was. */
  readonly close: () => void
}

const widthOf = (line: string): number => stripVTControlCharacters(line).length

/** Where nobody says, as in a terminal that some tool made. */
const assumed = { columns: 80, rows: 24 }

const orAssumed = (value: number | undefined, instead: number): number =>
  value === undefined || value < 1 ? instead : value

const endsLine = (chunk: unknown): boolean =>
  typeof chunk === "string" ? chunk.endsWith("\n") : chunk instanceof Uint8Array && chunk.at(-1) === 0x0a

/** `screen` is where the lines are drawn, `others` are further streams to the same terminal. */
export const make = (screen: Screen, others: ReadonlyArray<Screen>): Terminal => {
  const write = screen.write.bind(screen) as (text: string) => boolean
  let wanted: ReadonlyArray<string> = []
  let drawn: ReadonlyArray<string> = []
  let isLineOpen = false
  let isPending = false
  let isClosed = false

  const size = () => ({
    columns: orAssumed(screen.columns, assumed.columns),
    rows: orAssumed(screen.rows, assumed.rows)
  })

  const erase = (): string => {
    // A terminal that became narrower has broken the lines that were drawn.
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / size().columns)), 0)
    drawn = []
    return rows === 0 ? "" : `\r\u001b[2K${"\u001b[1A\u001b[2K".repeat(rows - 1)}`
  }
  const redraw = (): void => {
    if (isLineOpen || isClosed) return
    const erased = erase()
    drawn = wanted
    const text = erased + drawn.join("\n")
    if (text !== "") write(text)
  }
  const soon = (): void => {
    if (isPending) return
    isPending = true
    setImmediate(() => {
      isPending = false
      redraw()
    })
  }

  const restore = [screen, ...others].map((stream) => {
    const original = stream.write
    stream.write = (chunk: never, ...rest: ReadonlyArray<never>): boolean => {
      const erased = erase()
      if (erased !== "") write(erased)
      isLineOpen = !endsLine(chunk)
      if (!isLineOpen) soon()
      return original.call(stream, chunk, ...rest)
    }
    return () => {
      stream.write = original
    }
  })

  return {
    size,
    draw: (lines) => {
      wanted = lines
      redraw()
    },
    close: () => {
      if (isClosed) return
      const erased = erase()
      isClosed = true
      if (erased !== "") write(erased)
      for (const put of restore) put()
    }
  }
}

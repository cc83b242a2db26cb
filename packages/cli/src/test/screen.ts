/** As much of a terminal as the lines of progress need: what was written, and what one sees. */
export class ScreenOf {
  columns: number
  rows = 24
  readonly lines: Array<string> = [""]
  private row = 0
  private column = 0

  constructor(columns: number) {
    this.columns = columns
  }

  readonly write = (chunk: string): boolean => {
    const [before = "", ...escaped] = chunk.split("\u001b")
    for (const character of before) this.put(character)
    for (const piece of escaped) {
      // An escape ends with its letter.
      const [code = ""] = /^\[[\d;]*[A-Za-z]/.exec(piece) ?? []
      this.put(`\u001b${code}`)
      for (const character of piece.slice(code.length)) this.put(character)
    }
    return true
  }

  private put(part: string): void {
    if (part === "\r") this.column = 0
    else if (part === "\n") this.to(this.row + 1)
    else if (part === "\u001b[2K") this.lines[this.row] = ""
    else if (part === "\u001b[1A") this.row--
    else if (!part.startsWith("\u001b")) {
      if (this.column === this.columns) this.to(this.row + 1)
      const line = this.lines[this.row]!.padEnd(this.column)
      this.lines[this.row] = line.slice(0, this.column) + part + line.slice(this.column + 1)
      this.column++
    }
  }

  private to(row: number): void {
    this.row = row
    this.column = 0
    this.lines[row] ??= ""
  }

  get text(): string {
    return this.lines.join("\n")
  }
}

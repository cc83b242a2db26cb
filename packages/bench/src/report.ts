/** How every benchmark speaks: a table for people, and one line of JSON as its last line. */

export interface Goal {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly goal: string
  readonly met: boolean
}

export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
}

const format = (value: number): string =>
  Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toFixed(2)

const pad = (cells: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells.map((row) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join("  ")
  )
}

export const print = (bench: string, rows: ReadonlyArray<Row>, goals: ReadonlyArray<Goal>): void => {
  const lines = [
    "",
    ...pad([["measured", "value", "unit"], ...rows.map((row) => [row.name, format(row.value), row.unit])]),
    "",
    ...pad([
      ["goal", "value", "unit", "wanted", "met"],
      ...goals.map((goal) => [goal.name, format(goal.value), goal.unit, goal.goal, goal.met ? "yes" : "NO"])
    ]),
    "",
    JSON.stringify({ bench, goals })
  ]
  process.stdout.write(`${lines.join("\n")}\n`)
}

export const atMost = (name: string, value: number, unit: string, limit: number): Goal => ({
  name,
  value: round(value),
  unit,
  goal: `<= ${limit}`,
  met: value <= limit
})

export const atLeast = (name: string, value: number, unit: string, limit: number): Goal => ({
  name,
  value: round(value),
  unit,
  goal: `>= ${limit}`,
  met: value >= limit
})

const round = (value: number): number => Math.round(value * 1000) / 1000

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * Dead letters as people read them: a table of many, everything of one.
 */
import type { Redrive } from "@ergon/core"
import { time } from "../progress/line.ts"
import { toJson } from "../running/json.ts"
import { table } from "../table.ts"

/** What somebody else wrote must not steer the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}+/gu, " ").trim()

const ageOf = (failedAt: string, now: number): string => {
  const age = now - Date.parse(failedAt)
  if (Number.isNaN(age)) return "?"
  const days = Math.floor(age / 86_400_000)
  return days >= 2 ? `${days} d` : time(Math.max(0, age))
}

// What is left of a reason where the terminal has hardly any room for it.
const leastReason = 20

/** One line for each; `width` is the room that there is, `Infinity` for all of every reason. Times are milliseconds. */
export const lettersTable = (letters: ReadonlyArray<Redrive.Letter>, now: number, width: number): string => {
  const places = new Set(letters.map(({ place }) => place)).size > 1
  const rows = letters.map(({ letter, place }) => [
    printable(letter.id),
    ageOf(letter.failedAt, now),
    letter.step,
    printable(letter.error.tag),
    String(letter.attempts),
    ...places ? [place] : []
  ])
  const head = ["ID", "AGE", "STEP", "TAG", "ATTEMPTS", ...places ? ["FROM"] : []]
  const lines = table([[...head, "REASON"], ...rows.map((row) => [...row, ""])]).split("\n")
  const used = table([head, ...rows].map((row) => [...row, "|"])).split("\n")[0]?.indexOf("|") ?? 0
  const room = Math.max(leastReason, width - used)
  return lines.map((line, index) => {
    const reason = printable(letters[index - 1]?.letter.reason ?? "")
    const shown = reason.length > room ? `${reason.slice(0, room - 1)}…` : reason
    return index === 0 ? line : `${line.padEnd(used)}${shown}`.trimEnd()
  }).join("\n")
}

const indented = (text: string): string => text.split("\n").map((line) => `  ${line}`).join("\n")

/** Everything of one letter. */
export const letterText = ({ connector, letter, place }: Redrive.Letter, now: number): string => {
  const lines = table([
    ["id", printable(letter.id)],
    ["task", printable(letter.task)],
    ["source", printable(letter.source)],
    ["kept in", `${connector} (${place === "sink" ? "the task's dead letters" : "the source's own"})`],
    ["failed at", `${printable(letter.failedAt)} (${ageOf(letter.failedAt, now)} ago)`],
    ["step", letter.step],
    ["category", letter.category],
    ["error", `${printable(letter.error.tag)}: ${printable(letter.error.message)}`],
    ["reason", printable(letter.reason)],
    ["attempts", String(letter.attempts)],
    ["deliveries", `${letter.deliveries} before`]
  ])
  const metadata = Object.entries(letter.metadata).map(([key, value]) => `  ${printable(`${key}: ${value}`)}`)
  const payload = JSON.stringify(toJson(letter.payload), undefined, 2)
  return [
    lines,
    ...metadata.length === 0 ? [] : ["metadata", ...metadata],
    "payload",
    indented(payload)
  ].join("\n")
}

/** For machines: the letter, with the connector where it is. */
export const letterJson = ({ connector, letter, place }: Redrive.Letter) => ({
  from: place,
  connector,
  id: letter.id,
  payload: toJson(letter.payload),
  metadata: letter.metadata,
  reason: letter.reason,
  step: letter.step,
  category: letter.category,
  error: letter.error,
  attempts: letter.attempts,
  deliveries: letter.deliveries,
  task: letter.task,
  source: letter.source,
  failedAt: letter.failedAt
})

const grouped = (count: number): string => count.toLocaleString("en-US")

export const letters = (count: number): string => `${grouped(count)} dead letter${count === 1 ? "" : "s"}`

export const progressText = ({ failed, gone, redriven }: Redrive.Summary, matched: number): string =>
  `redriving: ${grouped(redriven + gone + failed)} of ${grouped(matched)}` +
  (failed === 0 ? "" : `, ${grouped(failed)} failed`)

/** What a redrive has done; the failures have lines of their own. */
export const summaryText = ({ failed, failures, gone, redriven }: Redrive.Summary, task: string): string => {
  const parts = [
    `${letters(redriven)} redriven: back at the source of "${task}", with a delivery count of 0`,
    ...gone === 0 ? [] : [`${grouped(gone)} no longer there: somebody else was faster`],
    ...failed === 0 ? [] : [`${grouped(failed)} failed, and still among the dead letters:`],
    ...failures.map(({ id, reason }) => `  ${printable(id)}: ${printable(reason)}`),
    ...failed > failures.length ? [`  and ${grouped(failed - failures.length)} more`] : []
  ]
  return parts.join("\n")
}

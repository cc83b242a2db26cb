/**
 * A moment of a run as one line: what matters least is left out first where the terminal is narrow.
 */
import { type Moment, timeLeft, totalOf } from "./measure.ts"

const grouped = (count: number): string => count.toLocaleString("en-US")

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export const time = (millis: number): string => {
  const seconds = Math.ceil(millis / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
}

const perSecond = (rate: number): string =>
  `${rate === 0 ? "0" : rate < 10 ? rate.toFixed(1) : grouped(Math.round(rate))}/s`

type Colour = "red" | "yellow" | "green" | "bold" | "none"

/** `keep`: the higher, the longer it stays when there is little room. */
interface Part {
  readonly text: string
  readonly keep: number
  readonly colour?: Colour
}

const codes = { red: 31, yellow: 33, green: 32, bold: 1 } as const

const painted = ({ colour = "none", text }: Part): string =>
  colour === "none" ? text : `\u001b[${codes[colour]}m${text}\u001b[0m`

const phaseOf = (moment: Moment): ReadonlyArray<Part> => {
  const left = `${grouped(moment.inFlight)} left`
  switch (moment.phase) {
    case "connecting":
      return [{ text: "connecting", keep: 9 }]
    case "draining": {
      const grace = moment.graceLeft === undefined ? "" : ` (at most ${time(moment.graceLeft)})`
      return [{ text: `draining, ${left}${grace}`, keep: 9, colour: "yellow" }]
    }
    case "stopping":
      return [{ text: `interrupting, ${left}`, keep: 9, colour: "yellow" }]
    case "closing":
      return [{ text: "closing", keep: 9 }]
    case "ended":
      return [{ text: "ended", keep: 9 }]
    case "running":
      return []
  }
}

const progressOf = (moment: Moment): Part => {
  const total = totalOf(moment)
  return {
    text: moment.streaming && !Number.isFinite(moment.limit) || total === undefined
      ? `${grouped(moment.done)} done${moment.waiting === undefined ? "" : `, ${grouped(moment.waiting)} waiting`}`
      : `${grouped(moment.done)}/${grouped(total)}`,
    keep: 8
  }
}

const workersOf = ({ workers }: Moment): ReadonlyArray<Part> => {
  if (workers === undefined) return []
  const text = workers.running === workers.all
    ? workers.all === 1 ? "1 worker" : `${workers.all} workers`
    : `${workers.running} of ${workers.all} workers`
  return [{ text, keep: 3, colour: workers.running === workers.all ? "none" : "yellow" }]
}

const partsOf = (moment: Moment): ReadonlyArray<Part> => {
  const name: Part = { text: moment.task, keep: 10, colour: "bold" }
  if (moment.kind === "program") {
    return [name, ...phaseOf(moment), { text: `runs for ${time(moment.elapsed)}`, keep: 5 }]
  }
  const left = timeLeft(moment)
  const isRunning = moment.phase === "running"
  return [
    name,
    ...phaseOf(moment),
    progressOf(moment),
    ...isRunning
      ? [{ text: perSecond(moment.rate), keep: 6 }, { text: `${grouped(moment.inFlight)} in flight`, keep: 4 }]
      : [],
    { text: `${grouped(moment.succeeded)} succeeded`, keep: 2, colour: moment.succeeded > 0 ? "green" : "none" },
    { text: `${grouped(moment.failed)} failed`, keep: 7, colour: moment.failed > 0 ? "red" : "none" },
    { text: moment.retries === 1 ? "1 retry" : `${grouped(moment.retries)} retries`, keep: 1 },
    ...workersOf(moment),
    ...isRunning && left !== undefined && left > 0 ? [{ text: `about ${time(left)} left`, keep: 5 }] : []
  ]
}

const gap = "  "

const lengthOf = (parts: ReadonlyArray<Part>): number =>
  parts.reduce((sum, { text }) => sum + text.length, 0) + gap.length * Math.max(0, parts.length - 1)

/** Without what does not fit: the least important first. The name alone may still be too long. */
const fitting = (parts: ReadonlyArray<Part>, width: number): ReadonlyArray<Part> => {
  let kept = parts
  while (kept.length > 1 && lengthOf(kept) > width) {
    const least = Math.min(...kept.map(({ keep }) => keep))
    kept = kept.filter(({ keep }) => keep !== least)
  }
  return kept
}

/** At most `width` characters, colours not counted. */
export const line = (moment: Moment, width: number, colours: boolean): string => {
  const parts = fitting(partsOf(moment), width)
  if (lengthOf(parts) > width) return `${parts[0]!.text.slice(0, Math.max(0, width - 1))}…`
  return parts.map((part) => colours ? painted(part) : part.text).join(gap)
}

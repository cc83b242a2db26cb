/** A trace as a picture: one line for each span, in the order in which they begin, and time from left to right. */
import { at, fitted, frame, niceStep, widthOf, words } from "./picture.ts"
import type { Span } from "./receiver.ts"

const width = 980
const line = 26
const top = 62
const indent = 14
const names = 12
const bars = 250
const barsEnd = 720
const size = 12

interface Row {
  readonly span: Span
  readonly depth: number
}

const rowsOf = (spans: ReadonlyArray<Span>): ReadonlyArray<Row> => {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const rows = (span: Span, depth: number): ReadonlyArray<Row> => [
    { span, depth },
    ...spans.filter(({ parentSpanId }) => parentSpanId === span.spanId)
      .toSorted((a, b) => a.start - b.start)
      .flatMap((child) => rows(child, depth + 1))
  ]
  return spans.filter(({ parentSpanId }) => parentSpanId === undefined || !ids.has(parentSpanId))
    .flatMap((root) => rows(root, 0))
}

const took = (millis: number): string => millis >= 10 ? `${Math.round(millis)} ms` : `${millis.toFixed(1)} ms`

/** What stands behind a bar: how long it took, and what is worth saying about it, as far as there is room. */
const labelOf = ({ attributes, end, error, start }: Span, room = Infinity): string => {
  const attempts = Number(attributes["ergon.attempts"] ?? 1)
  const type = attributes["error.type"]
  const notes = [
    attributes["ergon.outcome"] ?? attributes["ergon.disposition"],
    attempts > 1 ? `${attempts} attempts` : undefined,
    Number(attributes["ergon.deliveries"] ?? 0) > 0 ? "delivered before" : undefined
  ]
  const said = [took(end - start), ...notes.filter((note) => note !== undefined)].join(" · ")
  if (error === undefined) return said
  const whole = `${said} · ${type === "timeout" ? "timed out" : error}`
  return widthOf(whole, size) <= room ? whole : `${said} · ${type ?? error}`
}

/** `name`: whose trace it is. */
export const waterfall = (name: string, spans: ReadonlyArray<Span>): string => {
  const rows = rowsOf(spans)
  const from = Math.min(...spans.map(({ start }) => start))
  const to = Math.max(...spans.map(({ end }) => end))
  const services = [...new Set(rows.map(({ span }) => span.service))]
  const step = niceStep(to - from, 6)
  const scale = (barsEnd - bars) / (to - from)
  const x = (time: number): number => bars + (time - from) * scale
  const bottom = top + rows.length * line
  const ticks = Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => index * step)

  const grid = ticks.flatMap((tick) => [
    `<line class="grid" x1="${at(x(from + tick))}" y1="${top}" x2="${at(x(from + tick))}" y2="${bottom}"/>`,
    words({ x: x(from + tick), y: top - 8, text: tick === 0 ? "0" : `${tick} ms`, look: "note middle" })
  ])
  const lines = rows.flatMap(({ depth, span }, index) => {
    const y = top + index * line
    const middle = y + line / 2
    const left = names + depth * indent
    const end = Math.max(x(span.end), x(span.start) + 2)
    const colour = span.error === undefined ? services.indexOf(span.service) : 2
    const before = rows.slice(0, index).findLast((row) =>
      row.span.parentSpanId === span.parentSpanId && row.span.name === span.name && row.span.end < span.start
    )
    return [
      ...(index % 2 === 0
        ? [`<rect class="stripe" x="1" y="${y}" width="${width - 2}" height="${line}"/>`]
        : []),
      words({ x: left, y: middle + 4.5, text: fitted(span.name, 13, bars - left - 8) }),
      ...(before === undefined ? [] : [
        `<line class="wait" x1="${at(x(before.span.end))}" y1="${at(middle)}" x2="${at(x(span.start))}" y2="${
          at(middle)
        }"/>`
      ]),
      `<rect class="bar c${colour}" x="${at(x(span.start))}" y="${at(middle - 6)}" width="${
        at(end - x(span.start))
      }" height="12" rx="2"/>`,
      words({
        x: end + 6,
        y: middle + 4,
        text: fitted(labelOf(span, width - end - 14), size, width - end - 14),
        look: span.error === undefined ? "note" : "note wrong"
      })
    ]
  })
  const keys = [
    ...services.map((service, index) => ({ text: `task ${service}`, colour: index })),
    { text: "failed", colour: 2 }
  ]
  let keyX = names
  const legend = keys.flatMap(({ colour, text }) => {
    const key = [
      `<rect class="bar c${colour}" x="${at(keyX)}" y="${bottom + 13}" width="12" height="12" rx="2"/>`,
      words({ x: keyX + 18, y: bottom + 23, text, look: "note" })
    ]
    keyX += 18 + widthOf(text, size) + 18
    return key
  })
  return frame({
    width,
    height: bottom + 40,
    title: `The trace of ${name}`,
    description: rows.map(({ depth, span }) => `${"- ".repeat(depth)}${span.name}: ${labelOf(span)}`).join("; "),
    body: [
      words({ x: names, y: 24, text: `The trace of ${name}`, look: "strong" }),
      ...lines.filter((one) => one.startsWith("<rect class=\"stripe\"")),
      ...grid,
      ...lines.filter((one) => !one.startsWith("<rect class=\"stripe\"")),
      ...legend,
      `<line class="wait" x1="${at(keyX)}" y1="${bottom + 19}" x2="${at(keyX + 24)}" y2="${bottom + 19}"/>`,
      words({ x: keyX + 32, y: bottom + 23, text: "waiting for the next attempt", look: "note" })
    ]
  })
}

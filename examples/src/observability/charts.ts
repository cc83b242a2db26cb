/** Panels of a dashboard as a picture: two beside each other, each with its curves and their names. */
import { at, escaped, fitted, frame, niceStep, widthOf, words } from "./picture.ts"

/** Points are seconds since the first one, and values. */
export interface Curve {
  readonly name: string
  readonly points: ReadonlyArray<readonly [second: number, value: number]>
}

export interface Panel {
  readonly title: string
  /** As Grafana names them: `s` are seconds, `ops` are per second. */
  readonly unit: string
  readonly curves: ReadonlyArray<Curve>
}

const width = 980
const height = 240
const gap = 16
const inner = { left: 62, right: 28, top: 40, bottom: 74 }
const size = 12

const unitOf = (unit: string, most: number) =>
  unit === "s" && most < 1
    ? { scale: 1000, name: " ms" }
    : { scale: 1, name: unit === "s" ? " s" : unit === "ops" ? "/s" : "" }

const number = (value: number): string =>
  value >= 1000 ? `${Math.round(value / 100) / 10}k` : String(Math.round(value * 100) / 100)

const draw = ({ curves, title, unit }: Panel, x0: number, y0: number, wide: number): ReadonlyArray<string> => {
  const all = curves.flatMap(({ points }) => points)
  const last = Math.max(...all.map(([second]) => second))
  const { name, scale } = unitOf(unit, Math.max(...all.map(([, value]) => value)))
  const most = Math.max(...all.map(([, value]) => value * scale))
  const step = niceStep(most, 4)
  const highest = Math.ceil(most / step - 0.001) * step
  const left = x0 + inner.left
  const right = x0 + wide - inner.right
  const top = y0 + inner.top
  const bottom = y0 + height - inner.bottom
  const x = (second: number): number => left + (right - left) * second / last
  const y = (value: number): number => bottom - (bottom - top) * value / highest
  const across = Array.from({ length: Math.round(highest / step) + 1 }, (_, index) => index * step)
  const along = niceStep(last, 6)

  let keyX = left
  let keyY = bottom + 40
  const legend = curves.flatMap((curve, index) => {
    const text = fitted(curve.name, size, right - left - 22)
    const room = 22 + widthOf(text, size)
    if (keyX > left && keyX + room > right) {
      keyX = left
      keyY += 18
    }
    const key = [
      `<line class="curve c${index}" x1="${at(keyX)}" y1="${at(keyY - 4)}" x2="${at(keyX + 16)}" y2="${
        at(keyY - 4)
      }"/>`,
      words({ x: keyX + 22, y: keyY, text, look: "note" })
    ]
    keyX += room + 16
    return key
  })
  return [
    words({ x: x0 + 12, y: y0 + 22, text: title, look: "strong" }),
    ...across.flatMap((value) => [
      `<line class="grid" x1="${at(left)}" y1="${at(y(value))}" x2="${at(right)}" y2="${at(y(value))}"/>`,
      words({
        x: left - 6,
        y: y(value) + 4,
        text: `${number(value)}${value === 0 ? "" : name}`,
        look: "note end"
      })
    ]),
    ...Array.from({ length: Math.floor(last / along) + 1 }, (_, index) =>
      words({
        x: x(index * along),
        y: bottom + 18,
        text: `${index * along} s`,
        look: "note middle"
      })),
    `<line class="axis" x1="${at(left)}" y1="${at(bottom)}" x2="${at(right)}" y2="${at(bottom)}"/>`,
    ...curves.map(({ points }, index) =>
      `<polyline class="curve c${index}" points="${
        points.map(([second, value]) => `${at(x(second))},${at(y(value * scale))}`).join(" ")
      }"/>`
    ),
    ...legend
  ]
}

export const charts = (title: string, description: string, panels: ReadonlyArray<Panel>): string => {
  const wide = (width - 3 * gap) / 2
  const rows = Math.ceil(panels.length / 2)
  return frame({
    width,
    height: gap + rows * (height + gap),
    title,
    description,
    body: panels.flatMap((panel, index) => {
      const x = gap + (index % 2) * (wide + gap)
      const y = gap + Math.floor(index / 2) * (height + gap)
      return [
        `<rect class="paper" x="${at(x)}" y="${at(y)}" width="${at(wide)}" height="${height}" rx="4"><title>${
          escaped(panel.title)
        }</title></rect>`,
        ...draw(panel, x, y, wide)
      ]
    })
  })
}

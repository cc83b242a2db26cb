/** What both pictures share: a frame that is read in light and dark, words, and how wide they are. */

export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", "&quot;")

/** About how wide a text is at this size of a font, in pixels: a little more than it is with the usual ones. */
export const widthOf = (text: string, size: number): number => text.length * size * 0.56

/** As much of a text as fits. */
export const fitted = (text: string, size: number, room: number): string => {
  const most = Math.max(1, Math.floor(room / (size * 0.56)))
  return text.length <= most ? text : `${text.slice(0, most - 1).trimEnd()}…`
}

export const at = (value: number): string => String(Math.round(value * 10) / 10)

/** A step between two lines of an axis that people count in, so that there are at most `most` of them. */
export const niceStep = (span: number, most: number): number => {
  const rough = Math.max(span, Number.MIN_VALUE) / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5].find((one) => one * power >= rough * 0.999) ?? 10
  return step * power
}

interface Frame {
  readonly width: number
  readonly height: number
  readonly title: string
  readonly description: string
  readonly body: ReadonlyArray<string>
}

/** In light and in dark. */
const colours = [
  ["#0969da", "#4493f8"],
  ["#8250df", "#ab7df8"],
  ["#bc4c00", "#f0883e"],
  ["#1a7f37", "#3fb950"],
  ["#bf3989", "#db61a2"],
  ["#9a6700", "#d29922"],
  ["#59636e", "#9198a1"]
] as const

const coloured = (indent: string, mode: 0 | 1): string =>
  colours.map((colour, index) =>
    `${indent}.bar.c${index} { fill: ${colour[mode]}; } .curve.c${index} { stroke: ${colour[mode]}; }`
  ).join("\n")

const style = `
    text { font: 13px ui-sans-serif, system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; fill: #1f2328; }
    .note { font-size: 12px; fill: #59636e; }
    .strong { font-weight: 600; }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .wrong { fill: #bc4c00; }
    .paper { fill: #ffffff; stroke: #d1d9e0; }
    .stripe { fill: #f6f8fa; }
    .grid { stroke: #d1d9e0; }
    .axis { stroke: #818b98; }
    .wait { stroke: #818b98; stroke-dasharray: 2 3; }
    .curve { fill: none; stroke-width: 1.75; stroke-linejoin: round; }
${coloured("    ", 0)}
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .note { fill: #9198a1; }
      .wrong { fill: #f0883e; }
      .paper { fill: #0d1117; stroke: #3d444d; }
      .stripe { fill: #151b23; }
      .grid { stroke: #2a313c; }
      .axis, .wait { stroke: #656c76; }
${coloured("      ", 1)}
    }
  `

export const frame = ({ body, description, height, title, width }: Frame): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title description">`,
    `  <title id="title">${escaped(title)}</title>`,
    `  <desc id="description">${escaped(description)}</desc>`,
    `  <style>${style}</style>`,
    `  <rect class="paper" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6"/>`,
    ...body.map((line) => `  ${line}`),
    "</svg>",
    ""
  ].join("\n")

interface Words {
  readonly x: number
  readonly y: number
  readonly text: string
  readonly look?: string
}

export const words = ({ look, text, x, y }: Words): string =>
  `<text${look === undefined ? "" : ` class="${look}"`} x="${at(x)}" y="${at(y)}">${escaped(text)}</text>`

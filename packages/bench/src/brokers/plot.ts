/** A bar chart in SVG that reads on light and on dark pages. */

export interface Bar {
  readonly group: string
  readonly name: string
  readonly value: number
}

const left = 250
const width = 760
const line = 22

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const axis = (largest: number): number => {
  const power = 10 ** Math.floor(Math.log10(largest))
  return [1, 2, 5, 10].map((step) => step * power).find((end) => end >= largest) ?? largest
}

/** Bars in their order, under the heading of their group; each group has a scale of its own. */
export const bars = (title: string, all: ReadonlyArray<Bar>): string => {
  const groups = Map.groupBy(all, ({ group }) => group)
  const parts: Array<string> = []
  let y = 34
  for (const [group, members] of groups) {
    parts.push(`<text class="group" x="12" y="${y + 14}">${escape(group)}</text>`)
    y += line
    const end = axis(Math.max(...members.map(({ value }) => value)))
    for (const { name, value } of members) {
      const long = Math.max(1, value / end * (width - left - 90))
      const label = Math.round(value).toLocaleString("en-US")
      parts.push(
        `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${escape(name)}</text>`,
        `<rect class="${name === "Ergon" ? "ergon" : "other"}" x="${left}" y="${y + 3}" width="${
          long.toFixed(1)
        }" height="14" rx="2"/>`,
        `<text class="value" x="${(left + long + 6).toFixed(1)}" y="${y + 14}">${label}</text>`
      )
      y += line
    }
    y += 10
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" role="img" aria-label="${escape(title)}">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title, .group { font-weight: 600 }
.value { fill: #59636e }
.ergon { fill: #0969da }
.other { fill: #b1bac4 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .value { fill: #9198a1 }
  .ergon { fill: #4493f8 }
  .other { fill: #57606a }
}
</style>
<text class="title" x="12" y="20">${escape(title)}</text>
${parts.join("\n")}
</svg>
`
}

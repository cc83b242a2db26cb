import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { drawn, Recorded } from "./drawn.ts"
import { widthOf } from "./picture.ts"
import { tree } from "./tree.ts"

const recorded = Schema.decodeUnknownSync(Schema.fromJsonString(Recorded))(
  readFileSync(join(import.meta.dirname, "recorded.json"), "utf8")
)
const pictures = Object.entries(drawn(recorded)).map(([name, picture]) => ({ name, picture }))

interface Box {
  readonly text: string
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

const boxesOf = (picture: string): ReadonlyArray<Box> =>
  [...picture.matchAll(/<text(?: class="([^"]*)")? x="([\d.]+)" y="([\d.]+)">([^<]*)<\/text>/g)].map(
    ([, look = "", x, y, text = ""]) => {
      const size = look.includes("note") ? 12 : 13
      const width = widthOf(text, size)
      const left = Number(x) - (look.includes("end") ? width : look.includes("middle") ? width / 2 : 0)
      return { text, left, right: left + width, top: Number(y) - size * 0.8, bottom: Number(y) + size * 0.2 }
    }
  )

describe("the pictures of docs/observability", () => {
  it.each(pictures)("$name is drawn from what was recorded", ({ name, picture }) => {
    assert.strictEqual(readFileSync(join(import.meta.dirname, `../../../docs/images/${name}.svg`), "utf8"), picture)
  })

  it("stand beside the tree of the same trace", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../docs/observability/README.md"), "utf8")
    assert.include(page, `\n${tree(recorded.retried.spans, recorded.retried.lines)}\n`)
  })

  it("shows panels that the dashboard has", () => {
    const dashboard = readFileSync(
      join(import.meta.dirname, "../../../packages/cli/templates/shared/observability/grafana/dashboards/ergon.json"),
      "utf8"
    )
    for (const { title } of recorded.panels) assert.include(dashboard, JSON.stringify(title))
  })

  it.each(pictures)("no word of $name is on another, or outside of it", ({ picture }) => {
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(picture) ?? []
    const boxes = boxesOf(picture)
    assert.isAbove(boxes.length, 20)
    for (const [index, a] of boxes.entries()) {
      assert.isTrue(a.left >= 0 && a.right <= Number(width) && a.top >= 0 && a.bottom <= Number(height), a.text)
      for (const b of boxes.slice(index + 1)) {
        const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top
        assert.isTrue(apart, `"${a.text}" and "${b.text}"`)
      }
    }
  })
})

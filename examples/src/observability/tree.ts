/** A trace as a tree, for a terminal: what happened, in which order, how long it took, and what was said meanwhile. */
import type { Line, Span } from "./receiver.ts"

/** What is worth a word behind the name of a span. */
const noteOf = ({ attributes, error }: Span): string => {
  const words = [
    attributes["ergon.outcome"],
    Number(attributes["ergon.attempts"] ?? 1) > 1 ? `${attributes["ergon.attempts"]} attempts` : undefined,
    Number(attributes["ergon.deliveries"] ?? 0) > 0 ? "delivered before" : undefined,
    attributes["ergon.outcome"] === undefined ? attributes["ergon.disposition"] : undefined,
    Number(attributes["ergon.attempt"] ?? 1) > 1 ? `attempt ${attributes["ergon.attempt"]}` : undefined,
    error === undefined ? undefined : `✗ ${error === "" ? attributes["error.type"] ?? "failed" : error}`
  ]
  return words.filter((word) => word !== undefined).join(", ")
}

const took = (millis: number): string =>
  millis >= 1000
    ? `${(millis / 1000).toFixed(2)} s`
    : millis >= 10
    ? `${millis.toFixed(0)} ms`
    : `${millis.toFixed(1)} ms`

interface Row {
  readonly left: string
  readonly middle: string
  readonly right: string
}

const byTime = (a: { readonly at: number }, b: { readonly at: number }): number => a.at - b.at

/** One tree for each trace that has a span of this name in it, oldest first. */
export const tree = (spans: ReadonlyArray<Span>, lines: ReadonlyArray<Line>): string => {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const below = (parent: Span) => spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId)
  const rows = (span: Span, head: string, indent: string): ReadonlyArray<Row> => {
    const inside = [
      ...below(span).map((child) => ({ at: child.start, child, line: undefined })),
      ...lines.filter(({ spanId }) => spanId === span.spanId).map((line) => ({ at: line.at, child: undefined, line }))
    ].toSorted(byTime)
    return [
      { left: `${head}${span.name}`, middle: took(span.end - span.start), right: noteOf(span) },
      ...inside.flatMap(({ child, line }, index): ReadonlyArray<Row> => {
        const isLast = index === inside.length - 1
        return child === undefined
          ? [{
            left: `${indent}${isLast ? "╰" : "├"}╴${line.level.toLowerCase()}: ${line.text}`,
            middle: "",
            right: ""
          }]
          : rows(child, `${indent}${isLast ? "╰─ " : "├─ "}`, `${indent}${isLast ? "   " : "│  "}`)
      })
    ]
  }
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined || !ids.has(parentSpanId))
  return roots.toSorted((a, b) => a.start - b.start).map((root) => {
    const all = rows(root, "", "")
    const width = Math.max(...all.filter(({ middle }) => middle !== "").map(({ left }) => left.length))
    return all.map(({ left, middle, right }) =>
      middle === "" ? left : `${left.padEnd(width)} ${middle.padStart(8)}  ${right}`.trimEnd()
    ).join("\n")
  }).join("\n\n")
}

import { type Rule, type Violation } from "../rule.ts"
import type { Source } from "../../workspace/source.ts"

const most = 400
const mostOfTests = 800

/** The lines that count: all, but those inside the docblocks of a public module, which every export has to have. */
const countedLines = (source: Source): ReadonlyArray<number> => {
  const lines = source.text.replace(/\n$/, "").split("\n").map((_, index) => index + 1)
  if (!/^src\/[^/]+$/.test(source.within)) return lines
  const documented = new Set(
    source.comments.filter(({ type }) => type === "Block").flatMap(({ end, start }) => {
      const first = source.lineAt(start)
      return Array.from({ length: source.lineAt(end) - first + 1 }, (_, index) => first + index)
    })
  )
  return lines.filter((line) => !documented.has(line))
}

export const oneIdeaPerFile: Rule = {
  name: "one-idea-per-file",
  why: `a file above ${most} lines (a test above ${mostOfTests}) holds two ideas; public docblocks do not count`,
  check: ({ sources }) =>
    sources.flatMap((source): ReadonlyArray<Violation> => {
      const bound = source.isTest ? mostOfTests : most
      const lines = countedLines(source)
      const line = lines[bound]
      return line === undefined ? [] : [{ path: source.path, line, message: `${lines.length} lines, at most ${bound}` }]
    })
}

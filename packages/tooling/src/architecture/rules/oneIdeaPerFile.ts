import { type Rule, type Violation } from "../rule.ts"

const most = 400
const mostOfTests = 800

export const oneIdeaPerFile: Rule = {
  name: "one-idea-per-file",
  why: `a file above ${most} lines (a test above ${mostOfTests}) holds two ideas`,
  check: ({ sources }) =>
    sources.flatMap((source): ReadonlyArray<Violation> => {
      const bound = source.isTest ? mostOfTests : most
      const lines = source.text.replace(/\n$/, "").split("\n").length
      return lines <= bound ? [] : [{ path: source.path, line: bound + 1, message: `${lines} lines, at most ${bound}` }]
    })
}

import { Visitor } from "oxc-parser"
import { at, librarySources, type Rule, type Violation } from "../rule.ts"
import type { Source } from "../../workspace/source.ts"

const home = "packages/core/src/internal/policy/schedule.ts"

/** Constructors and combinators of Schedule that make up a delay. */
const delaying = new Set([
  "exponential",
  "fibonacci",
  "spaced",
  "fixed",
  "windowed",
  "duration",
  "jittered",
  "addDelay",
  "modifyDelay"
])

const violationsOf = (source: Source): ReadonlyArray<Violation> => {
  const found: Array<Violation> = []
  const flag = (offset: number, what: string) => found.push(at(source, offset, `${what}: delays are made in ${home}`))
  new Visitor({
    BinaryExpression(node) {
      if (node.operator === "**" && !(node.left.type === "Literal" && node.right.type === "Literal")) {
        flag(node.start, "a power")
      }
    },
    MemberExpression(node) {
      if (node.computed || node.property.type !== "Identifier") return
      const name = node.property.name
      const owner = node.object.type === "Identifier" ? node.object.name : ""
      if (owner === "Math" && (name === "pow" || name === "random")) flag(node.start, `Math.${name}`)
      else if (owner === "Schedule" && delaying.has(name)) flag(node.start, `Schedule.${name}`)
      else if (name === "multiplier" || name === "jitter") flag(node.start, `reading .${name}`)
    }
  }).visit(source.program)
  return found
}

export const oneDelayFormula: Rule = {
  name: "one-delay-formula",
  why: "one formula for the delay before an attempt, in one file: two of them drift apart",
  check: (workspace) => librarySources(workspace).filter((source) => source.path !== home).flatMap(violationsOf)
}

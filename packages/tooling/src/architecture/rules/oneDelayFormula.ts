import { type Expression, type PrivateIdentifier, Visitor } from "oxc-parser"
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

/** `multiplier`, or `policy.multiplier`. */
const isMultiplier = (node: Expression | PrivateIdentifier): boolean =>
  node.type === "Identifier"
    ? node.name === "multiplier"
    : node.type === "MemberExpression" && node.property.type === "Identifier" && node.property.name === "multiplier"

const violationsOf = (source: Source): ReadonlyArray<Violation> => {
  const found: Array<Violation> = []
  const flag = (offset: number, what: string) => found.push(at(source, offset, `${what}: delays are made in ${home}`))
  new Visitor({
    BinaryExpression({ left, operator, right, start }) {
      if (operator === "**" && !(left.type === "Literal" && right.type === "Literal")) flag(start, "a power")
      if (operator === "*" && (isMultiplier(left) || isMultiplier(right))) flag(start, "a product with a multiplier")
    },
    MemberExpression(node) {
      if (node.computed || node.property.type !== "Identifier" || node.object.type !== "Identifier") return
      const { name } = node.property
      const owner = node.object.name
      if (owner === "Math" && (name === "pow" || name === "random")) flag(node.start, `Math.${name}`)
      if (owner === "Schedule" && delaying.has(name)) flag(node.start, `Schedule.${name}`)
    }
  }).visit(source.program)
  return found
}

export const oneDelayFormula: Rule = {
  name: "one-delay-formula",
  why: "one formula for the delay before an attempt, in one file: two of them drift apart",
  check: (workspace) => librarySources(workspace).filter((source) => source.path !== home).flatMap(violationsOf)
}

import { Visitor } from "oxc-parser"
import { at, librarySources, type Rule, type Violation } from "../rule.ts"
import type { Source } from "../../workspace/source.ts"

/** The packages whose work it is to end a process. */
const runners = new Set(["node", "cli"])
const ending = new Set(["exit", "abort", "reallyExit", "exitCode"])

const violationsOf = (source: Source): ReadonlyArray<Violation> => {
  const found: Array<Violation> = []
  new Visitor({
    MemberExpression(node) {
      if (node.object.type !== "Identifier" || node.object.name !== "process") return
      if (node.property.type !== "Identifier" || !ending.has(node.property.name)) return
      found.push(at(source, node.start, `process.${node.property.name} in a library`))
    }
  }).visit(source.program)
  return found
}

export const noProcessExit: Rule = {
  name: "no-process-exit",
  why: "a library fails with a typed error; the application decides whether the process ends",
  check: (workspace) => librarySources(workspace).filter((source) => !runners.has(source.package)).flatMap(violationsOf)
}

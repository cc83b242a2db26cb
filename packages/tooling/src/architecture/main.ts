/**
 * `npm run check:architecture`: every rule on the real tree. Exits with 1 when one is broken.
 */
import { load, root } from "../workspace/workspace.ts"
import { rules } from "./rules.ts"

const workspace = load(root)
const broken = rules.flatMap((rule) => rule.check(workspace).map((violation) => ({ rule, violation })))

for (const { rule, violation } of broken) {
  console.error(`${violation.path}:${violation.line}: ${violation.message}\n  ${rule.name}: ${rule.why}`)
}
console.log(
  `architecture: ${rules.length} rules on ${workspace.sources.length} files, ${broken.length} violations`
)
process.exitCode = broken.length === 0 ? 0 : 1

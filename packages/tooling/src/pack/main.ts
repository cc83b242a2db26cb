/**
 * `npm run check:pack`: packs every published package, lints it with publint, and uses it from a program outside of the
 * workspace. Needs the output of `tsc -b`. Exits with 1 when anything is wrong.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { publishable } from "../architecture/rule.ts"
import { publicModules } from "../reference/symbols.ts"
import { load, root } from "../workspace/workspace.ts"
import { consume } from "./consumer.ts"
import { link, unpack } from "./packed.ts"

const workspace = load(root)
const packages = publishable(workspace)
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-consumer-"))
const problems: Array<string> = []

try {
  for (const owner of packages) {
    problems.push(...unpack(root, owner, directory))
    const pkgDir = path.join(directory, "node_modules", owner.name)
    const { messages, pkg } = await publint({ pkgDir, strict: true, pack: false })
    problems.push(...messages.map((message) => `${owner.name}: ${formatMessage(message, pkg, { color: false })}`))
  }
  link(root, new Set([...packages.flatMap((owner) => [...owner.dependencies]), "@types/node"]), directory)
  consume(root, directory, packages.flatMap((owner) => publicModules(workspace, owner)))
} catch (error) {
  problems.push(error instanceof Error ? error.message : String(error))
} finally {
  fs.rmSync(directory, { recursive: true, force: true })
}

for (const problem of problems) console.error(problem)
console.log(`pack: ${packages.map((owner) => owner.name).join(", ")}; ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

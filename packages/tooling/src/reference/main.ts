/**
 * `npm run docs:generate` writes docs/reference; `npm run check:reference` fails when it is not up to date or when an
 * exported symbol of a public module has no docblock with `@category` and `@since`. Needs the output of `tsc -b`.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import { publishable } from "../architecture/rule.ts"
import { filesBelow, load, root } from "../workspace/workspace.ts"
import { type CommandDoc, commandsPage } from "./commands.ts"
import { catalogue, page as errorPage } from "./errors.ts"
import { missing } from "./missing.ts"
import { index, ofPackage } from "./pages.ts"
import { type PolicyField, policyPage } from "./policy.ts"
import { read } from "./signatures.ts"
import { publicModules } from "./symbols.ts"
import { signalsPage, type TelemetryNames } from "./signals.ts"

const write = process.argv.includes("--write")
const workspace = load(root)
const packages = publishable(workspace)
const modules = new Map(packages.map((owner) => [owner, publicModules(workspace, owner)]))
const all = [...modules.values()].flat()
const signatureOf = read(root, all)

// Built modules of another package: what they say of themselves is read as data, nothing here is compiled against it.
const { fields }: { readonly fields: ReadonlyArray<PolicyField> } = await import(
  pathToFileURL(path.join(root, "packages/core/dist/Policy.js")).href
)
const names: TelemetryNames = await import(pathToFileURL(path.join(root, "packages/core/dist/Telemetry.js")).href)
const { commandDocs }: { readonly commandDocs: Effect.Effect<ReadonlyArray<CommandDoc>> } = await import(
  pathToFileURL(path.join(root, "packages/cli/dist/internal/commandDocs.js")).href
)

const pages = [
  index(packages),
  ...packages.flatMap((owner) => ofPackage(owner, modules.get(owner) ?? [], signatureOf)),
  errorPage(catalogue(all)),
  policyPage(fields),
  commandsPage(await Effect.runPromise(commandDocs)),
  signalsPage(names)
].map((page) => ({ path: path.posix.join("docs/reference", page.path), text: `${page.text}\n` }))

const present = filesBelow(root, "docs/reference", (file) => file.endsWith(".md"))
const stale = present.filter((file) => !pages.some((page) => page.path === file))
const changed = pages.filter((page) => {
  const file = path.join(root, page.path)
  return !fs.existsSync(file) || fs.readFileSync(file, "utf8") !== page.text
})

if (write) {
  for (const file of stale) fs.rmSync(path.join(root, file))
  for (const page of changed) {
    fs.mkdirSync(path.dirname(path.join(root, page.path)), { recursive: true })
    fs.writeFileSync(path.join(root, page.path), page.text)
  }
} else {
  for (const { path } of changed) console.error(`${path}: not up to date: npm run docs:generate`)
  for (const file of stale) console.error(`${file}: describes what is no longer there: npm run docs:generate`)
}

const undocumented = all.flatMap(missing)
for (const problem of undocumented) console.error(problem)

const symbols = all.reduce((sum, module) => sum + module.exports.length, 0)
console.log(
  `reference: ${packages.length} packages, ${all.length} modules, ${symbols} symbols, ${pages.length} pages; ` +
    `${changed.length + stale.length} ${write ? "written" : "out of date"}, ${undocumented.length} docblocks wanting`
)
process.exitCode = undocumented.length > 0 || (!write && changed.length + stale.length > 0) ? 1 : 0

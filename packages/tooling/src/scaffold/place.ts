/**
 * A place outside of the workspace with the packages as published, from which projects are made. The packages of others
 * are linked from the root instead of installed: the registry is not asked, and what is tested is what the lock file
 * says.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { link, unpack } from "../pack/packed.ts"
import type { Package } from "../workspace/workspace.ts"

/** The commands that a project calls: where `npm install` links them. */
const commands: Readonly<Record<string, string>> = {
  ergon: "../@ergon/cli/bin/ergon.js",
  tsc: "../typescript/bin/tsc",
  vitest: "../vitest/vitest.mjs"
}

export interface Place {
  readonly directory: string
  readonly problems: ReadonlyArray<string>
  readonly remove: () => void
}

const withTheirs = (packages: ReadonlyArray<Package>, wanted: ReadonlySet<string>): ReadonlySet<string> => {
  const all = new Set(wanted)
  for (const owner of packages) if (wanted.has(owner.name)) { for (const name of owner.dependencies) all.add(name) }
  return all.size === wanted.size ? wanted : withTheirs(packages, all)
}

/** Packs those of `packages` that `wanted` names, and what they depend on. */
export const prepare = (root: string, packages: ReadonlyArray<Package>, wanted: ReadonlyArray<string>): Place => {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "ergon-scaffold-")))
  const names = withTheirs(packages, new Set(wanted))
  const problems = packages.filter(({ name }) => names.has(name)).flatMap((owner) => unpack(root, owner, directory))
  link(root, names, directory)
  const bin = path.join(directory, "node_modules/.bin")
  fs.mkdirSync(bin)
  for (const [name, target] of Object.entries(commands)) fs.symlinkSync(target, path.join(bin, name))
  fs.chmodSync(path.join(bin, "ergon"), 0o755)
  return { directory, problems, remove: () => fs.rmSync(directory, { recursive: true, force: true }) }
}

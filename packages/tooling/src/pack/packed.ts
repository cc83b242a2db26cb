/**
 * Packs a package as it would be published and unpacks it where a consumer would have it.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import type { Package } from "../workspace/workspace.ts"

/** Runs a command and gives its output. Throws with all that it said when it fails. */
export const run = (command: string, args: ReadonlyArray<string>, cwd: string): string => {
  const { error, status, stderr, stdout } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}\n${stdout}${stderr}`)
  return stdout
}

const listing = (directory: string): ReadonlyArray<string> =>
  fs.readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, "/"))

/** Outputs of sources that are no longer there would be published with the rest: removes them. */
const prune = (root: string, owner: Package): void => {
  const output = /\.(js|d\.ts)(\.map)?$/
  for (const file of listing(path.join(root, owner.path, "dist")).filter((one) => output.test(one))) {
    const source = path.join(root, owner.path, "src", file.replace(output, ".ts"))
    if (!fs.existsSync(source)) fs.rmSync(path.join(root, owner.path, "dist", file))
  }
}

const unwanted = /\.test\.|\.tsbuildinfo$|(^|\/)typetest\//

/** What a tarball must hold, and must not. */
const problemsOf = (owner: Package, files: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...files.filter((file) => unwanted.test(file)).map((file) => `${owner.name} would publish ${file}`),
  ...["LICENSE", "README.md"].filter((file) => !files.includes(file)).map((file) => `${owner.name} has no ${file}`)
]

/** Packs into `directory/node_modules/<name>`. Gives what is wrong with the contents. */
export const unpack = (root: string, owner: Package, directory: string): ReadonlyArray<string> => {
  prune(root, owner)
  const home = path.join(root, owner.path)
  run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", directory], home)
  const tarball = fs.readdirSync(directory).find((file) => file.endsWith(".tgz"))
  if (tarball === undefined) throw new Error(`npm pack made nothing of ${owner.name}`)
  const target = path.join(directory, "node_modules", owner.name)
  fs.mkdirSync(target, { recursive: true })
  run("tar", ["-xzf", path.join(directory, tarball), "-C", target, "--strip-components=1"], directory)
  fs.rmSync(path.join(directory, tarball))
  return problemsOf(owner, listing(target))
}

/** Links the dependencies that a package declares, and nothing else. */
export const link = (root: string, names: ReadonlySet<string>, directory: string): void => {
  for (const name of names) {
    const target = path.join(directory, "node_modules", name)
    if (fs.existsSync(target)) continue
    fs.mkdirSync(path.dirname(target), { recursive: true })
    fs.symlinkSync(path.join(root, "node_modules", name), target)
  }
}

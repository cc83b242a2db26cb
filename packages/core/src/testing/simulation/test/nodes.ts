/**
 * `node packages/core/src/testing/simulation/test/nodes.ts [COUNT]`: whether generated seeds have the same traces in a
 * second process, and under the oldest Node that is supported, which npm puts into a temporary directory.
 */
import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const run = promisify(execFile)
const script = fileURLToPath(new URL("./fingerprints.ts", import.meta.url))

/** The fingerprints under this Node. */
export const fingerprints = async (node: string, count: number): Promise<ReadonlyArray<string>> => {
  const { stdout } = await run(node, ["--conditions=@ergon/source", script, String(count)], { maxBuffer: 2 ** 24 })
  return stdout.trim().split("\n")
}

/** Gives `use` the path of a Node of this version, and takes it away again. */
export const withNode = async <A>(version: string, use: (node: string) => Promise<A>): Promise<A> => {
  const directory = await mkdtemp(path.join(tmpdir(), "ergon-node-"))
  try {
    await run("npm", ["install", "--no-audit", "--no-fund", "--prefix", directory, `node@${version}`])
    return await use(path.join(directory, "node_modules/node/bin/node"))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const count = Number(process.argv[2] ?? 500)
  const here = await fingerprints(process.execPath, count)
  const other = await withNode("22", (node) => fingerprints(node, count))
  const different = here.filter((line, index) => line !== other[index])
  process.stdout.write(`${count} seeds under ${process.version} and 22, ${different.length} with another trace\n`)
  process.exitCode = different.length === 0 ? 0 : 1
}

#!/usr/bin/env sh
":" // ; exec /usr/bin/env node -- "$0" "$@"
// The two lines above are a script for sh, and nothing for JavaScript. Node takes `--env-file` for its own wherever it
// stands on a command line, and ends with 9 when that file is missing; behind `--` it leaves it to the command.
import * as module from "node:module"

const [major, minor] = process.versions.node.split(".").map(Number)
if (major < 22 || (major === 22 && minor < 22)) {
  process.stderr.write(`ergon: Node 22.22 or newer is needed, this is ${process.versions.node}\n`)
  process.exit(2)
}
// Compiled code is kept from one start to the next.
module.enableCompileCache?.()

// The sources are TypeScript in the repository and JavaScript when installed: beside the module that stands for them.
const index = import.meta.resolve("@ergon/cli")
await import(new URL(`./entry/ergon${index.slice(index.lastIndexOf("."))}`, index).href)

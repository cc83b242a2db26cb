#!/usr/bin/env node
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

/**
 * `npm run lock`: completes package-lock.json after `npm install`, so that `npm ci` accepts it on every platform.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { root } from "../workspace/workspace.ts"
import { complete } from "./platforms.ts"

const file = path.join(root, "package-lock.json")
const { added, lock } = complete(JSON.parse(fs.readFileSync(file, "utf8")))
if (added.length > 0) fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`package-lock.json: ${added.length} platform packages added`)

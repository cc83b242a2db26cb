import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "vitest"
import { root } from "../workspace/workspace.ts"
import { complete, platformOf } from "./platforms.ts"

describe("platforms", () => {
  it("reads the platform from the name of a package", () => {
    assert.deepStrictEqual(platformOf("@dprint/linux-x64-musl"), { cpu: ["x64"], libc: ["musl"], os: ["linux"] })
    assert.deepStrictEqual(platformOf("@oxlint/binding-linux-arm-gnueabihf"), {
      cpu: ["arm"],
      libc: ["glibc"],
      os: ["linux"]
    })
    assert.deepStrictEqual(platformOf("@oxlint/binding-win32-ia32-msvc"), { cpu: ["ia32"], os: ["win32"] })
    assert.deepStrictEqual(platformOf("@effect/tsgo-darwin-arm64"), { cpu: ["arm64"], os: ["darwin"] })
    assert.isUndefined(platformOf("fsevents"))
  })

  it("adds the entries that are missing, and no others", () => {
    const { added, lock } = complete({
      lockfileVersion: 3,
      packages: {
        "": {},
        "node_modules/a": { dev: true, optionalDependencies: { "a-linux-x64": "1.0.0", "a-darwin-x64": "1.0.0" } },
        "node_modules/a/node_modules/a-linux-x64": { version: "1.0.0" },
        "node_modules/b": {}
      }
    })
    assert.deepStrictEqual(added, ["node_modules/a-darwin-x64"])
    assert.deepStrictEqual(lock.packages["node_modules/a-darwin-x64"], {
      version: "1.0.0",
      dev: true,
      optional: true,
      cpu: ["x64"],
      os: ["darwin"]
    })
    assert.strictEqual(lock["lockfileVersion"], 3)
    assert.deepStrictEqual(complete(lock).added, [])
  })

  it("finds nothing to add to the lock file of this repository", () => {
    const lock = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8"))
    assert.deepStrictEqual(complete(lock).added, [], "npm run lock")
  })
})

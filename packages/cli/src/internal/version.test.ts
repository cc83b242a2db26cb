import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { version } from "./version.ts"

it("the version is the one of the package", () => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8")
  expect(version).toBe((JSON.parse(text) as { readonly version: string }).version)
})

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { find, needsNoProject } from "./projectFile.ts"

describe("projectFile.find", () => {
  let root: string
  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "ergon-project-")))
    mkdirSync(join(root, "packages", "shop", "src"), { recursive: true })
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const write = (path: string, content: unknown): void =>
    writeFileSync(join(root, path), typeof content === "string" ? content : JSON.stringify(content))
  const shop = () => join(root, "packages", "shop")
  const problem = (folder: string): string => {
    const main = find(folder)
    return main._tag === "Missing" ? main.problem : `found ${main.path}`
  }

  it("takes the nearest package.json upwards that names a main file", () => {
    write("package.json", { ergon: { main: "all.ts" } })
    write("all.ts", "")
    write("packages/shop/package.json", { name: "shop" })
    expect(find(join(shop(), "src"))).toEqual({ _tag: "Found", path: join(root, "all.ts") })

    write("packages/shop/package.json", { ergon: { main: "src/main.ts" } })
    write("packages/shop/src/main.ts", "")
    expect(find(join(shop(), "src"))).toEqual({ _tag: "Found", path: join(shop(), "src", "main.ts") })
  })

  it("names the file that says nothing, and what to write", () => {
    write("packages/shop/package.json", { name: "shop" })
    expect(problem(shop())).toContain("package.json has no \"ergon.main\"")
    expect(problem(shop())).toContain("\"ergon\": { \"main\": \"src/main.ts\" }")
    expect(problem(shop())).toContain("Ergon.main([])")
    expect(problem(root)).toMatch(/^there is no package\.json in /)
  })

  it("names the main file that is not there", () => {
    write("packages/shop/package.json", { ergon: { main: "src/mian.ts" } })
    expect(problem(shop())).toContain(`${join(shop(), "package.json")} names "src/mian.ts" as the main file`)
  })

  it("a folder is no main file", () => {
    write("packages/shop/package.json", { ergon: { main: "src" } })
    expect(problem(shop())).toContain("there is no such file")
  })

  it("says what is wrong with a package.json", () => {
    write("packages/shop/package.json", { ergon: { main: 42 } })
    expect(problem(shop())).toContain("\"ergon.main\" must be a path such as \"src/main.ts\", got 42")
    write("packages/shop/package.json", { ergon: { mian: "src/main.ts" } })
    expect(problem(shop())).toContain("\"ergon\" says no \"main\"")
    write("packages/shop/package.json", "{")
    expect(problem(shop())).toContain(`${join(shop(), "package.json")} is not JSON`)
  })
})

describe("projectFile.needsNoProject", () => {
  it("is so for help, version, completions and init, wherever they stand", () => {
    for (
      const line of [[], ["--help"], ["run", "-h"], ["--version"], ["--completions", "zsh"], ["--completions=zsh"], [
        "init",
        "x"
      ]]
    ) {
      expect(needsNoProject(line)).toBe(true)
    }
  })

  it("is not so for everything else", () => {
    for (const line of [["list"], ["run", "init"], ["run", "--", "--help"]]) {
      expect(needsNoProject(line)).toBe(false)
    }
  })
})

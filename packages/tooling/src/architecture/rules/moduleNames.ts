import * as path from "node:path"
import { librarySources, type Rule, whole } from "../rule.ts"

const pascal = /^[A-Z][A-Za-z0-9]*$/
const camel = /^[a-z][A-Za-z0-9]*$/

export const moduleNames: Rule = {
  name: "module-names",
  why: "a public module is a noun, used qualified (PascalCase); an internal file is named by its role (camelCase)",
  check: (workspace) =>
    librarySources(workspace).flatMap((source) => {
      const name = path.posix.basename(source.path, ".ts")
      if (/^src\/[^/]+$/.test(source.within)) {
        return name === "index" || pascal.test(name) ? [] : [whole(source, `public module "${name}" is not PascalCase`)]
      }
      if (source.within.startsWith("src/internal/")) {
        return camel.test(name) ? [] : [whole(source, `internal file "${name}" is not camelCase`)]
      }
      return []
    })
}

import { isBuiltin } from "node:module"
import { librarySources, type Rule } from "../rule.ts"

const packageName = (specifier: string): string =>
  specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")

export const declaredDependencies: Rule = {
  name: "declared-dependencies",
  why: "what a package imports must be installed with it: hoisting hides the omission here, not at the user's",
  check: (workspace) =>
    librarySources(workspace).flatMap((source) => {
      const owner = workspace.packages.find((one) => one.folder === source.package)
      return source.imports.flatMap(({ line, resolved, specifier }) => {
        if (resolved !== undefined || owner === undefined) return []
        if (isBuiltin(specifier)) {
          return specifier.startsWith("node:") ? [] : [{
            path: source.path,
            line,
            message: `write "node:${specifier}"`
          }]
        }
        const name = packageName(specifier)
        return name === owner.name || owner.dependencies.has(name) ? [] : [{
          path: source.path,
          line,
          message: `"${name}" is not a dependency or peer dependency in ${owner.path}/package.json`
        }]
      })
    })
}

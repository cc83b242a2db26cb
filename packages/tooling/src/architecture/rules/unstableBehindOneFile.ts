import { librarySources, type Rule } from "../rule.ts"

/** The unstable modules of effect stand in folders: `effect/sql/SqlClient`, `effect/workers/Worker`. */
const unstable = /^effect\/(?!testing(\/|$))[a-z][a-z-]*(\/|$)/

export const unstableBehindOneFile: Rule = {
  name: "unstable-behind-one-file",
  why: "an unstable module of effect may change in any release: one file of ours per package absorbs it",
  check: (workspace) => {
    const first = new Map<string, string>()
    return librarySources(workspace).flatMap((source) =>
      source.imports.flatMap(({ line, specifier }) => {
        if (!unstable.test(specifier)) return []
        const key = `${source.package} ${specifier}`
        const owner = first.get(key) ?? source.path
        first.set(key, owner)
        return owner === source.path ? [] : [{
          path: source.path,
          line,
          message: `"${specifier}" is unstable and stands behind ${owner} already`
        }]
      })
    )
  }
}

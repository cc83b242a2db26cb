import type { Rule, Violation } from "../rule.ts"

/** What each package may import of this workspace. A folder that is not named here is a connector. */
const allowed: Readonly<Record<string, ReadonlyArray<string> | "all">> = {
  core: [],
  node: ["core"],
  telemetry: ["core"],
  cli: ["core", "node", "telemetry"],
  lab: [],
  tooling: [],
  bench: "all",
  examples: "all"
}
const connector = ["core"]
export const dependencyDirection: Rule = {
  name: "dependency-direction",
  why: "connectors, telemetry, node -> core -> effect; cli -> node, telemetry; nothing imports a sibling connector",
  check: ({ packages, sources }) => {
    const byName = new Map(packages.map((one) => [one.name, one]))
    return sources.flatMap((source) => {
      const may = allowed[source.package] ?? connector
      return source.imports.flatMap(({ line, resolved, specifier }): ReadonlyArray<Violation> => {
        if (resolved !== undefined) {
          const own = source.package === "examples" ? "examples/" : `packages/${source.package}/`
          return resolved.startsWith(own) ? [] : [{
            path: source.path,
            line,
            message: `"${specifier}" leaves the package: import another package by its name`
          }]
        }
        const target = byName.get(specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/"))
        if (target === undefined) return []
        if (specifier.includes("/internal/")) {
          return [{ path: source.path, line, message: `"${specifier}" is internal to ${target.name}` }]
        }
        if (target.folder === source.package || may === "all" || may.includes(target.folder)) return []
        // Tests may stand on the servers and faults of the lab; what is published may not.
        if (target.folder === "lab" && source.isTest) return []
        return [{ path: source.path, line, message: `${source.package} must not depend on ${target.name}` }]
      })
    })
  }
}

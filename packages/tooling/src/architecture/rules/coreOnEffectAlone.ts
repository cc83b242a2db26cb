import { librarySources, type Rule } from "../rule.ts"

export const coreOnEffectAlone: Rule = {
  name: "core-on-effect-alone",
  why: "@ergon/core runs wherever effect runs: no Node module, no third party",
  check: (workspace) =>
    librarySources(workspace).filter((source) => source.package === "core").flatMap((source) =>
      source.imports
        .filter(({ resolved, specifier }) => resolved === undefined && !/^effect(\/|$)/.test(specifier))
        .map(({ line, specifier }) => ({
          path: source.path,
          line,
          message: `core imports "${specifier}"; it may import effect only`
        }))
    )
}

/**
 * The error catalogue: every tagged error that a public module exports.
 */
import type { Class } from "oxc-parser"
import type { Page } from "./pages.ts"
import type { Exported, PublicModule } from "./symbols.ts"

export interface CatalogueEntry {
  readonly tag: string
  readonly module: PublicModule
  readonly exported: Exported
  readonly retryable: string
}

const heritage = (exported: Exported): string => {
  const superClass = exported.source?.class.superClass
  return superClass == null ? "" : exported.source?.of.text.slice(superClass.start, superClass.end) ?? ""
}

/** `true` or `false` where the class says so by a getter or a field `isRetryable`. */
const statedBy = (one: Class): boolean | undefined => {
  for (const member of one.body.body) {
    if (!("key" in member) || member.key?.type !== "Identifier" || member.key.name !== "isRetryable") continue
    if (member.type === "PropertyDefinition" && member.value?.type === "Literal") return member.value.value === true
    if (member.type === "MethodDefinition") {
      const [statement] = member.value.body?.body ?? []
      if (statement?.type === "ReturnStatement" && statement.argument?.type === "Literal") {
        return statement.argument.value === true
      }
    }
  }
  return undefined
}

const retryableOf = (exported: Exported): string => {
  const stated = exported.source === undefined ? undefined : statedBy(exported.source.class)
  if (stated !== undefined) return stated ? "yes" : "no"
  const text = `${exported.docblock?.summary ?? ""} ${exported.docblock?.body ?? ""}`
  if (/\bnot retryable\b/i.test(text)) return "no"
  if (/\bretryable\b/i.test(text)) return "yes"
  return /\breason\s*:(?!\s*Schema\.)/.test(heritage(exported)) ? "as its reason says" : ""
}

/** The tagged errors of the modules, in order. A class that several modules export is named once, by the first. */
export const catalogue = (modules: ReadonlyArray<PublicModule>): ReadonlyArray<CatalogueEntry> => {
  const classes = new Set<string>()
  const isFirst = ({ source }: Exported): boolean => {
    const name = `${source?.of.path}:${source?.class.start}`
    return classes.size < classes.add(name).size
  }
  return modules.flatMap((module) =>
    module.exports.flatMap((exported) => {
      const [, tag] = /\b(?:Schema|Data)\.(?:TaggedError|TaggedErrorClass|ErrorClass|Error)\b[^]*?\)\s*\(?\s*"([^"]+)"/
        .exec(heritage(exported)) ?? []
      if (tag === undefined || !isFirst(exported)) return []
      return [{ tag, module, exported, retryable: retryableOf(exported) }]
    })
  )
}

const prose = (text: string): string => text.replace(/^```[^]*?^```$/gm, "").trim()

/** The page of the catalogue. */
export const page = (entries: ReadonlyArray<CatalogueEntry>): Page => {
  const sorted = entries.toSorted((left, right) => left.tag < right.tag ? -1 : 1)
  return {
    path: "errors.md",
    text: [
      "<!-- Generated from the docblocks by `npm run docs:generate`. -->",
      "# Error catalogue",
      "Every error has a tag, by which `Effect.catchTag` and `Task.decide` tell it from others. Retryable means that trying " +
      "again can help; for an error with a reason, the reason decides.",
      [
        "| tag | where | retryable | what it means |",
        "| --- | --- | --- | --- |",
        ...sorted.map(({ exported, module, retryable, tag }) =>
          `| \`${tag}\` | \`${module.name}.${exported.name}\` of \`${module.entry}\` | ${retryable || "not stated"} | ${
            (exported.docblock?.summary ?? "").replaceAll("|", "\\|")
          } |`
        )
      ].join("\n"),
      ...sorted.filter(({ exported }) => prose(exported.docblock?.body ?? "") !== "").map(({ exported, tag }) =>
        `## ${tag}\n\n${exported.docblock?.summary ?? ""}\n\n${prose(exported.docblock?.body ?? "")}`
      )
    ].join("\n\n")
  }
}

/**
 * The pages of the reference, as Markdown.
 */
import type { Package } from "../workspace/workspace.ts"
import type { Docblock } from "./docblock.ts"
import type { SignatureOf } from "./signatures.ts"
import type { Exported, PublicModule } from "./symbols.ts"

/** A page: its path below `docs/reference`, and its text. */
export interface Page {
  readonly path: string
  readonly text: string
}

const generated = "<!-- Generated from the docblocks by `npm run docs:generate`. -->"

const shown = (body: string): string => body.replace(/^(\s*```)ts import\.meta\.vitest$/gm, "$1ts")

const cell = (text: string): string => text.replaceAll("|", "\\|")

const categoryOf = (docblock: Docblock | undefined): string => docblock?.tags.get("category") ?? "other"

/** Names anchors as renderers of Markdown do: in lower case, numbered when a heading comes twice. */
const anchors = (): (heading: string) => string => {
  const seen = new Map<string, number>()
  return (heading) => {
    const slug = heading.toLowerCase().replace(/[^\w\s-]/g, "").replace(/\s/g, "-")
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  }
}

const byName = (exports: ReadonlyArray<Exported>): ReadonlyMap<string, ReadonlyArray<Exported>> =>
  Map.groupBy(exports, (one) => one.name)

const categories = (module: PublicModule): ReadonlyMap<string, ReadonlyArray<ReadonlyArray<Exported>>> =>
  Map.groupBy(byName(module.exports).values(), ([first]) => categoryOf(first?.docblock))

const entry = (name: string, declarations: ReadonlyArray<Exported>, file: string, signatureOf: SignatureOf): string => {
  const parts = declarations.flatMap((one) => {
    const signature = signatureOf(file, one)
    return [
      one.docblock?.summary ?? "",
      signature === undefined ? "" : `\`\`\`ts\n${signature}\n\`\`\``,
      shown(one.docblock?.body ?? "")
    ]
  })
  const since = declarations.find((one) => one.docblock?.tags.has("since"))?.docblock?.tags.get("since")
  const unique = parts.filter((part, index) => part !== "" && parts.indexOf(part) === index)
  return [`### ${name}`, ...unique, ...since === undefined ? [] : [`Since ${since}`]].join("\n\n")
}

const pathOf = (owner: Package, module: PublicModule): string =>
  `${module.entry.replace(owner.name, owner.folder)}/${module.name}.md`

const modulePage = (owner: Package, module: PublicModule, signatureOf: SignatureOf): Page => ({
  path: pathOf(owner, module),
  text: [
    generated,
    `# ${module.name}`,
    `\`import { ${module.name} } from "${module.entry}"\``,
    module.docblock?.summary ?? "",
    shown(module.docblock?.body ?? ""),
    ...[...categories(module)].flatMap(([category, symbols]) => [
      `## ${category}`,
      ...symbols.map((symbol) => entry(symbol[0]?.name ?? "", symbol, module.source.path, signatureOf))
    ])
  ].filter((part) => part !== "").join("\n\n")
})

const moduleTable = (owner: Package, module: PublicModule): string => {
  const anchor = anchors()
  anchor(module.name)
  const rows = [...categories(module)].flatMap(([category, symbols]) => {
    anchor(category)
    return symbols.map(([first]) => {
      const name = first?.name ?? ""
      const link = `[\`${name}\`](${pathOf(owner, module)}#${anchor(name)})`
      return `| ${link} | ${category} | ${cell(first?.docblock?.summary ?? "")} |`
    })
  })
  return [
    `## [${module.name}](${pathOf(owner, module)})`,
    module.docblock?.summary ?? "",
    ["| name | category | summary |", "| --- | --- | --- |", ...rows].join("\n")
  ].filter((part) => part !== "").join("\n\n")
}

/** The page of a package, and one per module. */
export const ofPackage = (
  owner: Package,
  modules: ReadonlyArray<PublicModule>,
  signatureOf: SignatureOf
): ReadonlyArray<Page> => {
  const sorted = modules.toSorted((left, right) =>
    left.entry === right.entry ? left.name < right.name ? -1 : 1 : left.entry < right.entry ? -1 : 1
  )
  return [
    {
      path: `${owner.folder}.md`,
      text: [generated, `# ${owner.name}`, owner.description, ...sorted.map((one) => moduleTable(owner, one))].join(
        "\n\n"
      )
    },
    ...sorted.map((module) => modulePage(owner, module, signatureOf))
  ]
}

/** The first page: the packages, the fields of the policy, and the error catalogue. */
export const index = (packages: ReadonlyArray<Package>): Page => ({
  path: "README.md",
  text: [
    generated,
    "# Reference",
    packages.map((one) => `- [${one.name}](${one.folder}.md): ${one.description}`).join("\n"),
    "- [Commands](cli-commands.md): every command of `ergon` with its arguments and flags\n" +
    "- [Policy fields](policy.md): every field with its default, its bounds, its unit and its environment variable\n" +
    "- [Error catalogue](errors.md): every error, whether trying again can help, and what it means"
  ].join("\n\n")
})

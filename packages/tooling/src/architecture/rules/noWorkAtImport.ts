import { at, isEntry, librarySources, type Rule } from "../rule.ts"

const declarations = new Set([
  "ImportDeclaration",
  "ExportNamedDeclaration",
  "ExportAllDeclaration",
  "VariableDeclaration",
  "FunctionDeclaration",
  "ClassDeclaration",
  "TSInterfaceDeclaration",
  "TSTypeAliasDeclaration",
  "TSDeclareFunction"
])

export const noWorkAtImport: Rule = {
  name: "no-work-at-import",
  why: "importing a library declares things and does nothing: bundlers drop what is not used, tests start clean",
  check: (workspace) =>
    librarySources(workspace).filter((source) => !isEntry(source)).flatMap((source) =>
      source.program.body
        .filter((statement) => !declarations.has(statement.type))
        .map((statement) => at(source, statement.start, `${statement.type} at the top of a module`))
    )
}

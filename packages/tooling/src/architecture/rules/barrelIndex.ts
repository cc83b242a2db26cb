import * as path from "node:path"
import { at, librarySources, type Rule } from "../rule.ts"

export const barrelIndex: Rule = {
  name: "barrel-index",
  why: "an index says what a package offers and nothing else: one `export * as Noun from \"./Noun.ts\"` per module",
  check: (workspace) =>
    librarySources(workspace).filter((source) => path.posix.basename(source.path) === "index.ts").flatMap((source) =>
      source.program.body.flatMap((statement) => {
        if (
          statement.type === "ExportNamedDeclaration" && statement.declaration === null && statement.source === null
        ) {
          return statement.specifiers.length === 0
            ? []
            : [at(source, statement.start, "an index exports modules under their names")]
        }
        if (statement.type !== "ExportAllDeclaration" || statement.exported?.type !== "Identifier") {
          return [at(source, statement.start, "an index holds only `export * as Noun from \"./Noun.ts\"`")]
        }
        const { name } = statement.exported
        const file = path.posix.basename(statement.source.value, ".ts")
        return name.toLowerCase() === file.toLowerCase()
          ? []
          : [at(source, statement.start, `"${file}.ts" is exported as "${name}"`)]
      })
    )
}

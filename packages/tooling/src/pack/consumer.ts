/**
 * A program that stands outside of the workspace: it sees the packages as published, without the condition under which
 * they export their sources. It imports every public module, and runs the programs of `packages/tooling/consumer`.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import type { PublicModule } from "../reference/symbols.ts"
import { run } from "./packed.ts"

const settings = {
  compilerOptions: {
    target: "ES2022",
    lib: ["ESNext"],
    module: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: ["node"],
    rootDir: "src",
    outDir: "out"
  },
  include: ["src"]
}

/** A module of types alone is not there when the program runs. */
const hasValues = (module: PublicModule): boolean => module.exports.some((one) => one.isValue)

/** Imports every module by its name, and fails when an entry lacks one. */
const importsOf = (modules: ReadonlyArray<PublicModule>): string => {
  const entries = Map.groupBy(modules.filter((one) => one.listed), (one) => one.entry)
  const lines = [...entries].flatMap(([entry, ofEntry], index) => [
    `import { ${ofEntry.map(({ name }) => `${name} as ${name}${index}`).join(", ")} } from "${entry}"`,
    `import * as Entry${index} from "${entry}"`,
    `for (const name of ${JSON.stringify(ofEntry.filter(hasValues).map(({ name }) => name))}) {`,
    `  if (!(name in Entry${index})) throw new Error(\`${entry} lacks \${name}\`)`,
    "}"
  ])
  return `${lines.join("\n")}\n`
}

/** Type-checks and runs the consumer in `directory`, which has the packages in its `node_modules`. */
export const consume = (root: string, directory: string, modules: ReadonlyArray<PublicModule>): void => {
  const sources = path.join(directory, "src")
  const programs = path.join(root, "packages/tooling/consumer")
  fs.mkdirSync(sources, { recursive: true })
  fs.writeFileSync(path.join(directory, "package.json"), JSON.stringify({ name: "consumer", type: "module" }))
  fs.writeFileSync(path.join(directory, "tsconfig.json"), JSON.stringify(settings))
  fs.writeFileSync(path.join(sources, "imports.ts"), importsOf(modules))
  for (const file of fs.readdirSync(programs)) fs.copyFileSync(path.join(programs, file), path.join(sources, file))

  run(process.execPath, [path.join(root, "node_modules/typescript/bin/tsc"), "--pretty", "false"], directory)
  for (const file of fs.readdirSync(path.join(directory, "out")).filter((one) => one.endsWith(".js"))) {
    run(process.execPath, [path.join("out", file)], directory)
  }
}

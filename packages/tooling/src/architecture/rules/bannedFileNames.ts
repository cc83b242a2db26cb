import * as path from "node:path"
import { type Rule, whole } from "../rule.ts"

const drawers = new Set(["util", "utils", "helper", "helpers", "common", "manager", "misc"])
const tooVague = new Set(["base", "types", "lib", "shared", "constants"])

const words = (name: string): ReadonlyArray<string> =>
  name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase().split(/[^a-z0-9]+/)

export const bannedFileNames: Rule = {
  name: "banned-file-names",
  why: "a file is named after what it holds; a drawer collects what has no place",
  check: ({ sources }) =>
    sources.flatMap((source) => {
      const parts = source.within.split("/").slice(1).map((part) => part.replace(/(\.\w+)*\.ts$/, ""))
      const bad = parts.find((part) =>
        tooVague.has(part.toLowerCase()) || words(part).some((word) => drawers.has(word))
      )
      return bad === undefined ? [] : [whole(source, `"${bad}" (${path.posix.basename(source.path)}) says nothing`)]
    })
}

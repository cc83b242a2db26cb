/**
 * The command line of the demo.
 */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"

export const usage = `Usage: npm run demo -- [--fresh] [--out <folder>]

  --fresh          deletes what earlier runs have written, and starts over
  --out <folder>   where to write; out in the current folder unless given`

export interface Options {
  readonly fresh: boolean
  readonly out: string
}

/** What the command line says, or what is wrong with it. */
export const read = (args: ReadonlyArray<string>): Options | { readonly problem: string } => {
  try {
    return parseArgs({
      args: [...args],
      options: { fresh: { type: "boolean", default: false }, out: { type: "string", default: "out" } }
    }).values
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

/** Deletes what the demo writes, and nothing else. */
export const clear = (folder: string): void => {
  for (const name of ["movies.db", "movies.db-wal", "movies.db-shm", "profits.jsonl", "profits.jsonl.torn"]) {
    rmSync(join(folder, name), { force: true })
  }
}

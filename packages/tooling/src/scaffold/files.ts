/**
 * The files of a generated project, as the checks read them.
 */
import * as fs from "node:fs"
import * as path from "node:path"

export interface Files {
  readonly has: (file: string) => boolean
  readonly read: (file: string) => string
}

export const filesIn = (directory: string): Files => ({
  has: (file) => fs.existsSync(path.join(directory, file)),
  read: (file) => fs.readFileSync(path.join(directory, file), "utf8")
})

/** What the project says about itself, and what the runner does: what deployments have to agree with. */
export interface Runner {
  readonly project: string
  readonly task: string
  readonly main: string
  /** All in seconds: `shutdown.grace` and `shutdown.close` together, and two fields of `supervision`. */
  readonly stop: number
  readonly startGrace: number
  readonly unhealthyGrace: number
  readonly leastNode: number
  readonly exitCodes: { readonly usage: number; readonly terminated: number }
  readonly routes: { readonly live: string; readonly ready: string; readonly metrics: string }
}

/** Says what is wrong where `holds` is false. */
export const expect = (holds: boolean, problem: string): ReadonlyArray<string> => holds ? [] : [problem]

/** The signals that end a process. */
import { parse } from "node:path"
import { isatty } from "node:tty"
import type { codes } from "./exitCode.ts"

export type Name = keyof typeof codes

/** `count`: how many there were, this one included. */
export interface Signal {
  readonly name: Name
  readonly count: number
}

const names: ReadonlyArray<Name> = ["SIGINT", "SIGTERM", "SIGHUP"]

/** In milliseconds: what a hand hardly does, and more than npm takes to pass a signal on (40 where there is much to do). */
const echo = 150

/** Whether npm runs this file as its script: the command that it says it runs names it. */
export const isScript = (file: string | undefined, command: string | undefined): boolean => {
  const { name } = parse(file ?? "")
  return name !== "" && command !== undefined && command.includes(name)
}

/**
 * A terminal sends Ctrl-C to all programs of its group, and npm sends it to its script once more: a script of npm, in a
 * terminal, gets each twice. The second one is no wish of anybody's.
 */
const arrivesTwice = (name: Name): boolean =>
  name === "SIGINT" && isatty(0) && isScript(process.argv[1], process.env["npm_lifecycle_script"])

/** Calls `on` with every signal, from now until the end of the process. */
export const listen = (on: (signal: Signal) => void): void => {
  let count = 0
  let last = -Infinity
  for (const name of names) {
    process.on(name, () => {
      const now = performance.now()
      if (arrivesTwice(name) && now - last < echo) return
      last = now
      on({ name, count: ++count })
    })
  }
}

/** The signals that end a process. */
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

/**
 * A terminal sends Ctrl-C to all programs of its group, and npm sends it to its script once more: under npm, in a
 * terminal, each arrives twice. The second one is no wish of anybody's.
 */
const arrivesTwice = (name: Name): boolean => name === "SIGINT" && process.env["npm_command"] !== undefined && isatty(0)

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

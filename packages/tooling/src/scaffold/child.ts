/**
 * Programs of the project, as a person or a supervisor starts them.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as path from "node:path"

/** How it ended. `output` is what it said on both streams, in the order of its arrival. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly output: string
}

export interface Child {
  /** Once it has said this. Fails when it ends before that. */
  readonly said: (text: string) => Promise<void>
  /** To the process; to its whole group with `group`, as a terminal does. */
  readonly signal: (name: NodeJS.Signals, group?: boolean) => void
  readonly ended: Promise<Ended>
}

/** Longer takes nothing that is right, on a busy machine neither. */
const longest = 90_000

/** Nothing of how this check was called: no setting of npm, of Ergon or of the test runner. */
const environment = (directory: string, more: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  PATH: [path.join(directory, "node_modules/.bin"), path.dirname(process.execPath), process.env["PATH"]].join(":"),
  HOME: process.env["HOME"],
  TMPDIR: process.env["TMPDIR"],
  npm_config_update_notifier: "false",
  ...more
})

/** The programs of one check. All that still run are killed with `stop`. */
export const children = () => {
  const running = new Set<ChildProcess>()

  const kill = (child: ChildProcess, name: NodeJS.Signals, group: boolean): void => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    try {
      process.kill(group ? -child.pid : child.pid, name)
    } catch (error) {
      // It ended just now.
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
    }
  }

  const start = (
    directory: string,
    [command = "", ...args]: ReadonlyArray<string>,
    more: Readonly<Record<string, string>> = {}
  ): Child => {
    // A process group of its own, so that what it starts can be killed with it.
    const child = spawn(command, args, {
      cwd: directory,
      env: environment(directory, more),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true
    })
    running.add(child)
    const late = setTimeout(() => kill(child, "SIGKILL", true), longest)
    let stdout = ""
    let output = ""
    const listeners = new Set<() => void>()
    const heard = (chunk: string): void => {
      output += chunk
      for (const listener of listeners) listener()
    }
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk
      heard(chunk)
    })
    child.stderr.setEncoding("utf8").on("data", heard)
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once("error", reject)
      child.once("close", (code, signal) => {
        clearTimeout(late)
        running.delete(child)
        resolve({ code, signal, stdout, output })
      })
    })
    return {
      ended,
      signal: (name, group = false) => kill(child, name, group),
      said: (text) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            if (!output.includes(text)) return
            listeners.delete(look)
            resolve()
          }
          listeners.add(look)
          look()
          ended.then(
            () => reject(new Error(`${command} ${args.join(" ")} ended and never said "${text}"\n${output}`)),
            reject
          )
        })
    }
  }

  return {
    start,
    run: (directory: string, words: ReadonlyArray<string>, more?: Readonly<Record<string, string>>): Promise<Ended> =>
      start(directory, words, more).ended,
    stop: (): void => {
      for (const child of running) kill(child, "SIGKILL", true)
    }
  }
}

export type Children = ReturnType<typeof children>

/**
 * The command line as a person uses it: in a process of its own, in a project, through `bin/ergon.js` or the main file.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { ScreenOf } from "./screen.ts"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export const bin = here("../../bin/ergon.js")
export const project = here("./project")

export interface Setting {
  readonly env?: { readonly [name: string]: string } | undefined
  /** Piped in; without it stdin is empty. */
  readonly stdin?: string | undefined
  readonly cwd?: string | undefined
  /** A file to be run by Node, in place of the command. */
  readonly file?: string | undefined
}

export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

const environment = (own: Setting["env"]): NodeJS.ProcessEnv => ({
  // The command looks for Node there, and finds the one that runs the tests.
  PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
  HOME: process.env["HOME"],
  NODE_OPTIONS: "--conditions=@ergon/source",
  ...own
})

export interface Running {
  readonly process: ChildProcess
  /** Everything written so far, to both streams. */
  readonly text: () => string
  /** Until what was written matches; fails when the process ends before. */
  readonly until: (pattern: RegExp) => Promise<void>
  readonly ended: Promise<End>
}

const running = new Set<ChildProcess>()

const watched = (child: ChildProcess): Running => {
  running.add(child)
  const output = { stdout: "", stderr: "" }
  const text = () => output.stdout + output.stderr
  const listeners = new Set<() => void>()
  const changed = () => {
    for (const listener of [...listeners]) listener()
  }
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (chunk: string) => {
      output[name] += chunk
      changed()
    })
  }
  // What the process has left running is not waited for: it has its pipes, too.
  let isOver = false
  const ended = new Promise<End>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (code, signal) => {
      running.delete(child)
      isOver = true
      changed()
      resolve({ code, signal, ...output })
    })
  })
  const until = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = () => {
        if (pattern.test(text())) resolve()
        else if (isOver) reject(new Error(`ended before ${pattern} was seen:\n${text()}`))
        else return
        listeners.delete(look)
      }
      listeners.add(look)
      look()
    })
  return { process: child, text, until, ended }
}

/** Begins a command line. */
export const begin = (
  line: ReadonlyArray<string>,
  { cwd = project, env, file, stdin }: Setting = {}
): Running => {
  const options = { cwd, env: environment(env), stdio: "pipe" } as const
  const child = file === undefined ? spawn(bin, line, options) : spawn(process.execPath, [file, ...line], options)
  child.stdin.on("error", () => {}).end(stdin ?? "")
  return watched(child)
}

/** Runs a command line to its end. */
export const ergon = (line: string | ReadonlyArray<string>, setting: Setting = {}): Promise<End> =>
  begin(typeof line === "string" ? line.split(" ").filter((word) => word !== "") : line, setting).ended

/** Runs a line of a shell in which `$ERGON` is the command. */
export const shell = (line: string, { cwd = project, env }: Setting = {}): Promise<End> =>
  watched(spawn("sh", ["-c", line], {
    cwd,
    env: environment({ ...env, ERGON: bin }),
    stdio: ["ignore", "pipe", "pipe"]
  })).ended

const required = process.env["ERGON_SERVICES"] === "required"

/** Whether a terminal can be made; without `script` the tests of it are left out, by name, unless they are required. */
export const hasTerminal = (): boolean => {
  const found = spawnSync("script", ["--version"], { stdio: "ignore" }).status === 0
  if (!found && required) throw new Error("`script` is missing: install util-linux (bsdutils in Debian)")
  return found
}

export interface InTerminal extends Running {
  readonly type: (keys: string) => void
  /** What one sees once everything that was written is on the screen. */
  readonly screen: () => string
}

/** Begins a command line in a terminal of its own. */
export const inTerminal = (
  line: string,
  env: { readonly [name: string]: string },
  columns = 100
): InTerminal => {
  const command = `stty cols ${columns} rows 30; exec ${bin} ${line}`
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    cwd: project,
    env: environment({ TERM: "xterm-256color", SHELL: "/bin/sh", ...env }),
    stdio: "pipe"
  })
  child.stdin.on("error", () => {})
  const watching = watched(child)
  return {
    ...watching,
    type: (keys) => void child.stdin.write(keys),
    screen: () => {
      const screen = new ScreenOf(columns)
      screen.write(watching.text())
      return screen.text
    }
  }
}

/** Ends what a test has left running. */
export const cleanUp = (): void => {
  for (const child of running) child.kill("SIGKILL")
  running.clear()
}

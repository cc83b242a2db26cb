/** Child processes of a test, all of them gone after it. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Child {
  readonly process: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Resolves as soon as what it printed to stdout fits; rejects when it ends before. */
  readonly printed: (pattern: RegExp) => Promise<RegExpExecArray>
  readonly ended: Promise<Ended>
}

export class Children {
  readonly #all = new Set<Child>()

  run(file: string, args: ReadonlyArray<string> = [], env: Record<string, string> = {}): Child {
    const path = fileURLToPath(new URL(file, import.meta.url))
    const child = spawn(process.execPath, ["--conditions=@ergon/source", path, ...args], {
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    const looking = new Set<() => void>()
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString("utf8")
      for (const look of looking) look()
    })
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString("utf8")
    })
    const ended = new Promise<Ended>((resolve) => {
      child.on("close", (code, signal) => {
        resolve({ code, signal, stdout, stderr })
        for (const look of looking) look()
      })
    })
    const one: Child = {
      process: child,
      stdout: () => stdout,
      stderr: () => stderr,
      ended,
      printed: (pattern) =>
        new Promise((resolve, reject) => {
          const look = () => {
            const found = pattern.exec(stdout)
            if (found === null && child.exitCode === null && child.signalCode === null) return
            looking.delete(look)
            if (found === null) reject(new Error(`ended before it printed ${pattern}: ${stdout}${stderr}`))
            else resolve(found)
          }
          looking.add(look)
          look()
        })
    }
    this.#all.add(one)
    return one
  }

  async end(): Promise<void> {
    for (const child of this.#all) {
      child.process.kill("SIGCONT")
      child.process.kill("SIGKILL")
    }
    await Promise.all([...this.#all].map(({ ended }) => ended))
    this.#all.clear()
  }
}

/**
 * One user per file: a lock file beside it that says who holds it.
 *
 *     free ──link──▶ held ──release──▶ free
 *                      │ its holder died: marked by exactly one process, which replaces it ──▶ held
 *
 * The lock appears with its content in one step (a hard link to a file that is already written), so nobody reads an
 * empty one. A holder is dead when its process id is not running, or runs a process that started at another time:
 * process ids are used again, in containers above all. A holder on another host cannot be judged and counts as alive.
 * Taking over begins with a hard link from the dead lock to a name made from its token, which succeeds for one process
 * only; whoever dies right there leaves that mark behind, and the error names it.
 *
 * `node:fs` stands here in place of effect's FileSystem because the errors of `link` decide.
 */
import { randomUUID } from "node:crypto"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import { codeOf } from "./ioReason.ts"

/** Who holds a lock. `started` is when the process started, in ticks of its machine, where that is known. */
interface Holder {
  readonly token: string
  readonly pid: number
  readonly host: string
  readonly started: string | undefined
}

/** The lock is held by somebody who may be alive, or cannot be taken over. */
export class Locked extends Error {
  override readonly name = "Locked"
}

export interface Lock {
  readonly release: () => Promise<void>
}

/** When a process started, from Linux's /proc; `undefined` elsewhere, and of one that is dead and not yet buried. */
const startOf = async (pid: number): Promise<string | undefined> => {
  const stat = await fs.readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined)
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")
  return fields?.[0] === "Z" ? undefined : fields?.[19]
}

const isHolder = (u: unknown): u is Holder =>
  typeof u === "object" && u !== null && "token" in u && typeof u.token === "string" && /^[\w-]+$/.test(u.token) &&
  "pid" in u && typeof u.pid === "number" && "host" in u && typeof u.host === "string"

const read = async (path: string): Promise<Holder | undefined | "unreadable"> => {
  try {
    const parsed: unknown = JSON.parse(await fs.readFile(path, "utf8"))
    return isHolder(parsed) ? parsed : "unreadable"
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined
    if (error instanceof SyntaxError) return "unreadable"
    throw error
  }
}

const isAlive = async ({ pid, started }: Holder): Promise<boolean> => {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false
  }
  return started === undefined || (await startOf(pid)) === started
}

/** Whether the link could be made; not, when its name is taken. */
const link = async (from: string, to: string): Promise<boolean> => {
  try {
    await fs.link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false
    throw error
  }
}

const releaseOf = (path: string, token: string): Lock => ({
  release: async () => {
    const holder = await read(path)
    if (typeof holder === "object" && holder.token === token) await fs.rm(path, { force: true })
  }
})

const refusal = (file: string, path: string, holder: Holder | "unreadable"): Locked =>
  new Locked(
    holder === "unreadable"
      ? `"${file}" is locked, and ${path} does not say by whom. It has one user at a time; if nobody uses it, remove ` +
        `that file`
      : `"${file}" is in use by process ${holder.pid} on ${holder.host}. It has one user at a time; if ` +
        `that process has gone, remove ${path}`
  )

/** Replaces the lock of a dead holder. `false` when somebody else was faster. */
const takeOver = async (path: string, own: string, dead: Holder): Promise<boolean> => {
  const mark = `${path}.${dead.token}`
  const marked = await link(path, mark).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return false
    throw error
  })
  if (!marked) return false
  const held = await read(mark)
  const stillDead = typeof held === "object" && held.token === dead.token
  if (stillDead) await fs.rename(own, path)
  await fs.rm(mark, { force: true })
  return stillDead
}

const attempts = 20
const pause = 50

/**
 * Locks a file for this process. Throws `Locked` when somebody who may be alive holds it. Worst case: one second, while
 * another process takes over the lock of a dead one.
 */
export const lock = async (file: string): Promise<Lock> => {
  const path = `${file}.lock`
  const started = await startOf(process.pid)
  const me: Holder = { token: randomUUID(), pid: process.pid, host: os.hostname(), started }
  const own = `${path}.${me.token}`
  await fs.writeFile(own, `${JSON.stringify(me)}\n`, { flag: "wx", flush: true })
  try {
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (await link(own, path)) return releaseOf(path, me.token)
      const holder = await read(path)
      if (holder === undefined) continue
      if (holder === "unreadable" || holder.host !== me.host || await isAlive(holder)) throw refusal(file, path, holder)
      if (await takeOver(path, own, holder)) return releaseOf(path, me.token)
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
    throw new Locked(
      `"${file}" cannot be locked: a process died while it took over ${path}. Remove ${path} and ${path}.*`
    )
  } finally {
    await fs.rm(own, { force: true })
  }
}

/**
 * Which files a log file becomes, and which of them are kept.
 *
 * `logs/orders.log` is rotated to `logs/orders.2026-11-25.1.log`, then `.2`, and so on: the day (UTC) in which its lines
 * were written, and a number.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"

export interface Retention {
  /** How many rotated files are kept. */
  readonly files: number
  /** Milliseconds after its last line at which a rotated file goes. */
  readonly age: number | undefined
}

export const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10)

interface Rotated {
  readonly name: string
  readonly day: string
  readonly number: number
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

const partsOf = (file: string) => {
  const { dir, ext, name } = path.parse(file)
  return { dir: dir === "" ? "." : dir, ext, name }
}

/** What a file was rotated to so far, oldest first. */
export const rotatedOf = async (file: string): Promise<ReadonlyArray<Rotated>> => {
  const { dir, ext, name } = partsOf(file)
  const pattern = new RegExp(`^${escape(name)}\\.(\\d{4}-\\d{2}-\\d{2})\\.(\\d+)${escape(ext)}$`)
  const names = await fs.readdir(dir)
  return names.flatMap((one) => {
    const [, day, number] = pattern.exec(one) ?? []
    return day === undefined ? [] : [{ name: path.join(dir, one), day, number: Number(number) }]
  }).sort((a, b) => a.day < b.day ? -1 : a.day > b.day ? 1 : a.number - b.number)
}

const hasCode = (error: unknown, ...codes: ReadonlyArray<string>): boolean =>
  error instanceof Error && "code" in error && codes.includes(String(error.code))

/**
 * Moves a file aside under the next free name. Another process may do the same: a link fails where a rename would
 * overwrite.
 */
export const rotate = async (file: string, day: string): Promise<void> => {
  const { dir, ext, name } = partsOf(file)
  const before = await rotatedOf(file)
  let number = before.reduce((most, one) => one.day === day ? Math.max(most, one.number) : most, 0)
  for (;;) {
    number++
    const target = path.join(dir, `${name}.${day}.${number}${ext}`)
    try {
      await fs.link(file, target)
      await fs.rm(file, { force: true })
      return
    } catch (error) {
      if (hasCode(error, "EEXIST")) continue
      // Not every file system has links.
      if (hasCode(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV")) return fs.rename(file, target)
      throw error
    }
  }
}

/** Removes what the retention does not keep. */
export const prune = async (file: string, retention: Retention, now: number): Promise<void> => {
  const rotated = (await rotatedOf(file)).toReversed()
  await Promise.all(rotated.map(async ({ name }, index) => {
    if (index < retention.files) {
      if (retention.age === undefined) return
      const stats = await fs.stat(name)
      if (now - stats.mtimeMs <= retention.age) return
    }
    await fs.rm(name, { force: true })
  }))
}

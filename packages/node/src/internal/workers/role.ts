/**
 * Whether this process or thread is a worker, and which one: the host says so in the last argument. Arguments are what
 * nothing that a worker starts inherits, as it would the environment.
 */
import { parentPort } from "node:worker_threads"

const mark = /^--ergon-worker=(\d+)$/

export const argument = (id: number): string => `--ergon-worker=${id}`

/** The id of this worker; `undefined` everywhere else. */
export const workerId = (): number | undefined => {
  const id = mark.exec(process.argv.at(-1) ?? "")?.[1]
  return id !== undefined && (parentPort !== null || process.send !== undefined) ? Number(id) : undefined
}

/**
 * Metadata of a transaction in the headers of a message, and back.
 *
 * Every header is a text of metadata, `traceparent`, `tracestate` and `baggage` among them. What is no text stands in its
 * header as JSON, and `ergon-types` names it, so that 42 comes back as a number. Headers that begin with `ergon-` are
 * ours:
 *
 * - `ergon-id`: the id of the transaction.
 * - `ergon-types`: the names whose values are JSON, as a JSON list.
 * - `ergon-due`: not before this time, in milliseconds since 1970.
 * - `ergon-retry`: how many retry topics it has been in.
 */
import type { Transaction } from "@ergon/core"

export const idHeader = "ergon-id"
export const dueHeader = "ergon-due"
export const retryHeader = "ergon-retry"
const typesHeader = "ergon-types"

/** What the source adds to the metadata of a transaction. It says where it lies, and does not travel on. */
const ofPosition: ReadonlySet<string> = new Set(["topic", "partition", "offset", "timestamp", "key", "retries"])

const utf8 = (text: string): Buffer => Buffer.from(text, "utf8")

/** The headers of a transaction. */
export const toHeaders = (
  { id, metadata }: Transaction.Transaction<unknown>,
  more: { readonly [header: string]: string } = {}
): Map<Buffer, Buffer> => {
  const headers = new Map<Buffer, Buffer>([[utf8(idHeader), utf8(id)]])
  const typed: Array<string> = []
  for (const [name, value] of Object.entries(metadata)) {
    if (ofPosition.has(name) || name.startsWith("ergon-")) continue
    if (typeof value !== "string") typed.push(name)
    headers.set(utf8(name), utf8(typeof value === "string" ? value : JSON.stringify(value)))
  }
  if (typed.length > 0) headers.set(utf8(typesHeader), utf8(JSON.stringify(typed)))
  for (const [name, value] of Object.entries(more)) headers.set(utf8(name), utf8(value))
  return headers
}

/** Headers as text. Of a header that is there twice, the last one counts. */
export interface ReadHeaders {
  /** To be filled up: made for one message. */
  readonly metadata: Record<string, string | number | boolean>
  readonly ours: Readonly<Record<string, string>>
}

const none: Readonly<Record<string, string>> = Object.freeze({})
const dash = "ergon-".charCodeAt(5)

export const fromHeaders = (headers: ReadonlyArray<readonly [Buffer | null, Buffer | null]>): ReadHeaders => {
  const metadata: Record<string, string | number | boolean> = {}
  if (headers.length === 0) return { metadata, ours: none }
  const ours: Record<string, string> = {}
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i]!
    const key = header[0]
    const value = header[1]
    if (key === null || value === null) continue
    const name = key.toString("utf8")
    if (key[5] === dash && name.startsWith("ergon-")) ours[name] = value.toString("utf8")
    else metadata[name] = value.toString("utf8")
  }
  const types = ours[typesHeader]
  if (types !== undefined) {
    for (const name of namesOf(types)) {
      const value = valueOf(metadata[name])
      if (value !== undefined) metadata[name] = value
    }
  }
  return { metadata, ours }
}

const parsed = (text: unknown): unknown => {
  if (typeof text !== "string") return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

const namesOf = (text: string | undefined): ReadonlyArray<string> => {
  const names = parsed(text)
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : []
}

const valueOf = (text: unknown): number | boolean | undefined => {
  const value = parsed(text)
  return typeof value === "number" || typeof value === "boolean" ? value : undefined
}

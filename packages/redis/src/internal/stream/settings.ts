/**
 * What a connector at a stream is made with, checked, with what the options leave out.
 */
import { custom, duration, type Fields, type Given, readFields, text } from "../fields.ts"
import { isStreamName } from "./keys.ts"

export interface Place {
  readonly stream: string
  readonly group: string
  readonly from: "beginning" | "new"
  /** Milliseconds, as are those that follow. */
  readonly lease: number
  readonly poll: number
  readonly keep: number | undefined
  readonly unique: number | undefined
  readonly consumer: string | undefined
}

const streamName = text(
  "a key that is not empty; one with braces has a hash tag, as in {shop}:orders",
  isStreamName
)

const begins = custom("beginning or new", (raw) => raw === "beginning" || raw === "new" ? raw : undefined)

export const letterFields = { stream: streamName }

export const sinkFields = { ...letterFields, unique: duration(0) }

export const sourceFields = {
  ...letterFields,
  group: text("a name without braces, not empty", (name) => name !== "" && name.isWellFormed() && !/[{}]/.test(name)),
  from: begins,
  lease: duration(100),
  poll: duration(1, 60_000),
  keep: duration(1),
  consumer: text("a name that is not empty")
}

export const queueFields = { ...sourceFields, ...sinkFields }

/** Reads where a connector stands; pushes what is wrong with it. `fields` are those that it has. */
export const readPlace = (id: string, fields: Fields, given: Given, problems: Array<string>): Place => {
  for (const [key, { name }] of given) {
    if (Object.hasOwn(fields, key)) continue
    problems.push(`${name}: no such field (valid: ${Object.keys(fields).join(", ")})`)
  }
  const known = new Map([...given].filter(([key]) => Object.hasOwn(fields, key)))
  const read = readFields(queueFields, known, problems)
  const stream = read.stream ?? id
  if (read.stream === undefined && !given.has("stream") && !isStreamName(id)) {
    problems.push(`stream: the id of the key, "${id}", is not valid; expected ${streamName.expected}`)
  }
  return {
    stream,
    group: read.group ?? "ergon",
    from: read.from ?? "beginning",
    lease: read.lease ?? 30_000,
    poll: read.poll ?? 1000,
    keep: read.keep,
    unique: read.unique,
    consumer: read.consumer
  }
}

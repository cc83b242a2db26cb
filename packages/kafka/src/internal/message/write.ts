/**
 * From a transaction to a message of Kafka.
 */
import type { Transaction } from "@ergon/core"
import { Reason } from "@ergon/core"
import { toHeaders } from "./headers.ts"

/** A message to publish, everything encoded. */
export interface Outgoing {
  readonly topic: string
  readonly key?: Buffer
  readonly value: Buffer
  readonly headers: Map<Buffer, Buffer>
}

export interface Write {
  readonly topic: string
  readonly key: string | undefined
  readonly payload: unknown
  readonly more?: { readonly [header: string]: string }
}

/** What Kafka adds to a record at most, beside key, value and headers. */
const overhead = 128

const sizeOf = ({ headers, key, value }: Outgoing): number => {
  let size = overhead + value.length + (key?.length ?? 0)
  for (const [name, text] of headers) size += name.length + text.length + 10
  return size
}

/** The message, or why there is none: a payload that is no JSON, one that is too large. */
export const toMessage = (
  transaction: Transaction.Transaction<unknown>,
  { key, more, payload, topic }: Write,
  maxMessage: number
): Outgoing | Reason.InvalidRequest => {
  let text: string | undefined
  try {
    text = JSON.stringify(payload)
  } catch (error) {
    return refusal(transaction.id, `the payload is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (text === undefined) return refusal(transaction.id, "the payload is no JSON: it is undefined or a function")
  const message: Outgoing = {
    topic,
    ...key === undefined ? {} : { key: Buffer.from(key, "utf8") },
    value: Buffer.from(text, "utf8"),
    headers: toHeaders(transaction, more)
  }
  const size = sizeOf(message)
  return size > maxMessage
    ? refusal(transaction.id, `the message has ${size} bytes, more than maxMessage (${maxMessage})`)
    : message
}

const refusal = (id: string, why: string): Reason.InvalidRequest =>
  new Reason.InvalidRequest({ message: `transaction ${JSON.stringify(id)}: ${why}` })

/**
 * From a record of Kafka to a delivery: id, payload, metadata, key.
 */
import { Delivery, Transaction } from "@ergon/core"
import type { IdFrom } from "../settings/source.ts"
import { dueHeader, fromHeaders, idHeader, type ReadHeaders, retryHeader } from "./headers.ts"

/** One record, as it came from its partition. */
export interface Message {
  readonly offset: bigint
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: ReadonlyArray<readonly [Buffer | null, Buffer | null]>
}

/** Where a message lies. */
export interface Position {
  readonly topic: string
  readonly partition: number
}

/** Until when a message has to wait, in milliseconds since 1970; 0 for not at all. */
export const dueOf = ({ headers }: Message): number => {
  if (headers.length === 0) return 0
  for (const [key, value] of headers) {
    if (key !== null && value !== null && key.length === dueHeader.length && key.toString("utf8") === dueHeader) {
      const due = Number(value.toString("utf8"))
      return Number.isFinite(due) ? due : 0
    }
  }
  return 0
}

const idOf = (from: IdFrom, { key, offset }: Message, { topic, partition }: Position, read: ReadHeaders): string => {
  const position = `${topic}-${partition}-${offset}`
  if (from === "position") return position
  if (from === "key") return key === null || key.length === 0 ? position : key.toString("utf8")
  const header = from.header === idHeader ? read.ours[idHeader] : read.metadata[from.header]
  return header === undefined || header === "" ? position : String(header)
}

interface Payload {
  readonly payload: unknown
  readonly malformed: string | undefined
}

/** JSON; a message without a value (a tombstone) is `null`. */
const payloadOf = (value: Buffer | null): Payload => {
  if (value === null) return { payload: null, malformed: undefined }
  const text = value.toString("utf8")
  try {
    return { payload: JSON.parse(text) as unknown, malformed: undefined }
  } catch (error) {
    return {
      payload: text,
      malformed: `the value is not JSON: ${error instanceof Error ? error.message : String(error)}`
    }
  }
}

export interface ReadOptions {
  readonly id: IdFrom
  readonly order: "key" | "partition"
}

/** The delivery of a message. `label` names the partition and the time for which it is ours. */
export const toDelivery = (
  message: Message,
  position: Position,
  options: ReadOptions,
  label: string,
  receipt: unknown
): Delivery.Delivery => {
  const read = fromHeaders(message.headers)
  const key = message.key === null ? undefined : message.key.toString("utf8")
  const retries = Number(read.ours[retryHeader] ?? 0)
  const { malformed, payload } = payloadOf(message.value)
  const metadata = {
    ...read.metadata,
    topic: position.topic,
    partition: position.partition,
    offset: Number(message.offset),
    timestamp: message.timestamp,
    ...key === undefined ? {} : { key },
    ...retries > 0 ? { retries } : {}
  }
  return Delivery.make(Transaction.make(idOf(options.id, message, position, read), payload, metadata), {
    receipt,
    key: options.order === "partition" ? `${position.topic}/${position.partition}` : key,
    partition: label,
    malformed
  })
}

/**
 * From a record of Kafka to a delivery: id, payload, metadata, key.
 */
import { Delivery, Transaction } from "@ergon/core"
import type { IdFrom } from "../settings/source.ts"
import { dueHeader, fromHeaders, idHeader, type ReadHeaders, retryHeader } from "./headers.ts"

/** One record, as it came from its partition. */
export interface Message {
  readonly offset: number
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

const positionOf = ({ offset }: Message, { topic, partition }: Position): string => `${topic}-${partition}-${offset}`

const idOf = (from: IdFrom, message: Message, position: Position, read: ReadHeaders): string => {
  if (from === "position") return positionOf(message, position)
  if (from === "key") {
    return message.key === null || message.key.length === 0
      ? positionOf(message, position)
      : message.key.toString("utf8")
  }
  const header = from.header === idHeader ? read.ours[idHeader] : read.metadata[from.header]
  return header === undefined || header === "" ? positionOf(message, position) : String(header)
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
  const { malformed, payload } = payloadOf(message.value)
  const id = idOf(options.id, message, position, read)
  const { metadata, ours } = read
  metadata["topic"] = position.topic
  metadata["partition"] = position.partition
  metadata["offset"] = message.offset
  metadata["timestamp"] = message.timestamp
  if (key !== undefined) metadata["key"] = key
  const retries = ours[retryHeader]
  if (retries !== undefined && Number(retries) > 0) metadata["retries"] = Number(retries)
  return Delivery.make(Transaction.make(id, payload, metadata), {
    receipt,
    key: options.order === "partition" ? `${position.topic}/${position.partition}` : key,
    partition: label,
    malformed
  })
}

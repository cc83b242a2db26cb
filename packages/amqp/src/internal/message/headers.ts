/**
 * Metadata and headers: all of the metadata travels in the headers of a message. What the broker and this package write
 * there themselves is no metadata.
 */
import type { Metadata } from "@ergon/core/Transaction"

/** What this package keeps in the headers of a copy that it makes of a message. */
export const ours = {
  /** How often the transaction was delivered before this copy. */
  deliveries: "x-ergon-deliveries",
  /** Where the message was published to at first. */
  exchange: "x-ergon-exchange",
  routingKey: "x-ergon-routing-key",
  /** Of a dead letter: the queue that it was in, what names it, why it was given up, and the envelope. */
  queue: "x-ergon-queue",
  letter: "x-ergon-letter",
  reason: "x-ergon-reason",
  envelope: "x-ergon-envelope"
} as const

export type Headers = { readonly [name: string]: unknown }

const brokers = new Set(["x-death", "x-delivery-count", "x-acquired-count"])

/** Whether the header says something of this message's way, and nothing of its transaction. */
export const isReserved = (name: string): boolean =>
  name.charCodeAt(0) === 120 &&
  (name.startsWith("x-ergon-") || name.startsWith("x-first-death-") || name.startsWith("x-last-death-") ||
    brokers.has(name))

/** Where a delivery came from, beside what its headers say: keys of its metadata that are not sent. */
export const arrival = { queue: "amqp.queue", exchange: "amqp.exchange", routingKey: "amqp.routingKey" } as const

const isArrival = (name: string): boolean => name.startsWith("amqp.")

const plain = (value: unknown): string | number | boolean | undefined => {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value
    case "bigint":
      return String(value)
    case "object":
      // A table or a list of the producer's: as JSON. Bytes: as base64.
      if (value === null) return undefined
      return Buffer.isBuffer(value) ? value.toString("base64") : JSON.stringify(value)
    default:
      return undefined
  }
}

/** The metadata of a delivery: its headers, and `from`. */
export const metadataOf = (headers: Headers | undefined, from: Metadata): Metadata => {
  if (headers === undefined) return from
  let metadata: { [key: string]: string | number | boolean } | undefined
  for (const name in headers) {
    if (isReserved(name)) continue
    const value = plain(headers[name])
    if (value === undefined) continue
    metadata ??= {}
    metadata[name] = value
  }
  return metadata === undefined ? from : Object.assign(metadata, from)
}

// Below it the library would write a 64-bit integer, and cannot.
const leastInteger = -(2 ** 63)

// Of the 128 KiB of a frame, what is left when everything else in it is as long as it can be.
const most = 120_000

/** The headers of metadata, or what is wrong with it. */
export const headersOf = (metadata: Metadata): { [name: string]: string | number | boolean } | string => {
  const headers: { [name: string]: string | number | boolean } = {}
  let size = 0
  for (const name in metadata) {
    const value = metadata[name]
    if (value === undefined || isReserved(name) || isArrival(name)) continue
    if (typeof value === "string") size += 3 * value.length
    // The broker routes by these.
    if (name === "CC" || name === "BCC")
      return `metadata "${name}" has a meaning of its own in RabbitMQ and cannot be sent`
    if (name.length > 85 && Buffer.byteLength(name) > 255) return "a key of the metadata is longer than 255 bytes"
    if (typeof value === "number" && !(value >= leastInteger && value < Infinity)) {
      return `metadata "${name}" is ${value}, which a header cannot hold`
    }
    size += 3 * name.length + 10
    headers[name] = value
  }
  if (size > most && exactSize(headers) > most) return `the metadata is longer than ${most} bytes`
  return headers
}

const exactSize = (headers: { readonly [name: string]: string | number | boolean }): number => {
  let size = 0
  for (const [name, value] of Object.entries(headers)) {
    size += Buffer.byteLength(name) + (typeof value === "string" ? Buffer.byteLength(value) : 8) + 6
  }
  return size
}

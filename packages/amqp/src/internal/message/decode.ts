/**
 * A message as a transaction. Ids are stable over redeliveries: the message id, or where the producer gave none, a digest
 * of all that the producer gave.
 */
import type { Metadata } from "@ergon/core/Transaction"
import { createHash } from "node:crypto"
import type { AsyncMessage } from "../client/library.ts"
import { arrival, type Headers, isReserved, ours } from "./headers.ts"

type Incoming = Pick<AsyncMessage, "exchange" | "routingKey" | "redelivered"> & Partial<AsyncMessage>

/** What is in the body, and what is wrong with it. */
export interface Body {
  readonly payload: unknown
  readonly malformed: string | undefined
}

/** The library has parsed JSON that says so; what it could not parse, and everything else, is bytes. Text is text. */
export const bodyOf = ({ body, contentEncoding, contentType }: Partial<AsyncMessage>): Body => {
  if (!Buffer.isBuffer(body)) return { payload: body, malformed: undefined }
  if (contentEncoding !== undefined && contentEncoding !== "" && contentEncoding.toLowerCase() !== "utf-8") {
    return { payload: body.toString("base64"), malformed: `the body has the encoding "${contentEncoding}"` }
  }
  const text = body.toString()
  if (contentType?.startsWith("text/plain") === true) return { payload: text, malformed: undefined }
  try {
    return { payload: JSON.parse(text), malformed: undefined }
  } catch {
    return { payload: text, malformed: "the body is no JSON" }
  }
}

const count = (value: unknown): number => typeof value === "number" && value > 0 ? Math.floor(value) : 0

/** How often the broker says that a message was delivered before, copies that were made of it included. */
export const deliveriesOf = (headers: Headers | undefined): number =>
  headers === undefined ? 0 : count(headers["x-delivery-count"]) + count(headers[ours.deliveries])

const textOf = (headers: Headers | undefined, name: string): string | undefined => {
  const value = headers?.[name]
  return typeof value === "string" ? value : undefined
}

/** Where the producer sent a message to, copies that were made of it notwithstanding. */
export const sentTo = ({ exchange, headers, routingKey }: Incoming) => ({
  exchange: textOf(headers, ours.exchange) ?? exchange,
  routingKey: textOf(headers, ours.routingKey) ?? routingKey
})

/** Metadata of arrivals. Messages that follow each other from one address share one object. */
export class Arrivals {
  private queue: string | undefined
  private exchange = ""
  private routingKey = ""
  private metadata: Metadata = {}

  of(queue: string, message: Incoming): Metadata {
    const { exchange, routingKey } = message.headers === undefined ? message : sentTo(message)
    if (routingKey === this.routingKey && exchange === this.exchange && queue === this.queue) return this.metadata
    this.queue = queue
    this.exchange = exchange
    this.routingKey = routingKey
    this.metadata = Object.freeze({
      [arrival.queue]: queue,
      [arrival.exchange]: exchange,
      [arrival.routingKey]: routingKey
    })
    return this.metadata
  }
}

/** The id of a message that has none: the same for every delivery of it. */
export const digest = (message: Incoming): string => {
  const { exchange, routingKey } = sentTo(message)
  const { appId, body, correlationId, headers, timestamp, type } = message
  const given = Object.entries(headers ?? {}).filter(([name]) => !isReserved(name)).toSorted(([a], [b]) =>
    a < b ? -1 : 1
  )
  const hash = createHash("sha256")
  hash.update(JSON.stringify([exchange, routingKey, appId, correlationId, timestamp, type, given]))
  hash.update(Buffer.isBuffer(body) ? body : JSON.stringify(body) ?? "")
  return `digest-${hash.digest("hex").slice(0, 32)}`
}

export const idOf = ({ messageId }: Incoming): string | undefined =>
  messageId === undefined || messageId === "" ? undefined : messageId

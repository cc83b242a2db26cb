/**
 * A copy of a message that was delivered: to a queue in which it waits, or to the dead letters. It keeps what the producer
 * gave; what the broker wrote into its headers stays behind.
 */
import type { Message } from "../client/publisher.ts"
import type { AsyncMessage } from "../client/library.ts"
import { sentTo } from "./decode.ts"
import { isReserved, ours } from "./headers.ts"

/** JSON that the library has parsed is written anew; everything else is as it came. */
const isParsed = ({ body, contentType }: AsyncMessage): boolean =>
  !Buffer.isBuffer(body) && !(typeof body === "string" && contentType === "text/plain")

const kept = [
  "contentType",
  "contentEncoding",
  "correlationId",
  "replyTo",
  "priority",
  "timestamp",
  "type",
  "appId"
] as const

export const copyOf = (
  message: AsyncMessage,
  id: string,
  to: { readonly exchange: string; readonly routingKey: string },
  more: { readonly [header: string]: string | number }
): Message => {
  const headers: { [name: string]: unknown } = {}
  for (const [name, value] of Object.entries(message.headers ?? {})) if (!isReserved(name)) headers[name] = value
  const { exchange, routingKey } = sentTo(message)
  const { body } = message
  const properties: { [name: string]: unknown } = {}
  for (const name of kept) if (message[name] !== undefined) properties[name] = message[name]
  return {
    ...to,
    properties: {
      ...properties,
      messageId: id,
      headers: Object.assign(headers, { [ours.exchange]: exchange, [ours.routingKey]: routingKey }, more)
    },
    body: Buffer.isBuffer(body)
      ? body
      : Buffer.from(isParsed(message) ? JSON.stringify(body) ?? "null" : String(body))
  }
}

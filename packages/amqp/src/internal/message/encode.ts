/**
 * A transaction as a message: payload as a body of JSON, id as the message id, metadata as headers.
 */
import { InvalidRequest } from "@ergon/core/Reason"
import type { Transaction } from "@ergon/core/Transaction"
import type { Message } from "../client/publisher.ts"
import type { SinkSettings } from "../settings/connectors.ts"
import { fits } from "../settings/check.ts"
import { headersOf } from "./headers.ts"

/** The message, or what is wrong with the transaction. */
export const messageOf = (
  transaction: Transaction<unknown>,
  { exchange, priority, routingKey }: Pick<SinkSettings, "exchange" | "priority" | "routingKey">
): Message | InvalidRequest => {
  const wrong = (problem: string) => new InvalidRequest({ message: `"${transaction.id.slice(0, 300)}": ${problem}` })
  const { id, metadata, payload } = transaction
  if (!fits(id)) return wrong("an id longer than 255 bytes cannot be sent")
  if (!id.isWellFormed()) return wrong("an id with half of a surrogate pair cannot be sent")
  const headers = headersOf(metadata)
  if (typeof headers === "string") return wrong(headers)
  const route = typeof routingKey === "string" ? routingKey : routingKey(transaction)
  if (!fits(route)) return wrong("a routing key longer than 255 bytes cannot be sent")
  const rank = priority?.(transaction)
  if (rank !== undefined && !(Number.isInteger(rank) && rank >= 0 && rank <= 255)) {
    return wrong(`priority must be an integer from 0 to 255, got ${rank}`)
  }
  try {
    return {
      exchange,
      routingKey: route,
      properties: {
        messageId: id,
        contentType: "application/json",
        ...isEmpty(headers) ? undefined : { headers },
        ...rank === undefined ? undefined : { priority: rank }
      },
      body: Buffer.from(JSON.stringify(payload) ?? "null")
    }
  } catch (error) {
    return wrong(`the payload is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const isEmpty = (headers: object): boolean => {
  for (const _ in headers) return false
  return true
}

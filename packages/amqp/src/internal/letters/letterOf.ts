/**
 * What a message in a queue of dead letters says: one that a source gave up, one that the broker gave up by itself, or the
 * envelope that a sink wrote.
 */
import { DeadLetter } from "@ergon/core/DeadLetter"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { AsyncMessage } from "../client/library.ts"
import { bodyOf, digest, idOf, sentTo } from "../message/decode.ts"
import { arrival, metadataOf, ours } from "../message/headers.ts"

const { attempts, category, deliveries, error, failedAt, source, step, task } = DeadLetter.fields

const decodeEnvelope = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ attempts, category, deliveries, error, failedAt, source, step, task }))
)
const decodeLetter = Schema.decodeUnknownOption(Schema.toCodecJson(DeadLetter))

const textOf = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

/** The queue in which a message was given up. */
export const originOf = ({ headers }: AsyncMessage): string | undefined =>
  textOf(headers?.[ours.queue]) ?? textOf(headers?.["x-first-death-queue"])

const metadataFrom = (message: AsyncMessage) => {
  const { exchange, routingKey } = sentTo(message)
  return metadataOf(message.headers, {
    [arrival.queue]: originOf(message) ?? "",
    [arrival.exchange]: exchange,
    [arrival.routingKey]: routingKey
  })
}

/** Of a source's own: a copy of the message, with the envelope in its headers. */
export const ownLetter = (id: string) => (message: AsyncMessage): DeadLetter => {
  const { headers } = message
  const common = {
    id: idOf(message) ?? digest(message),
    payload: bodyOf(message).payload,
    metadata: metadataFrom(message)
  }
  const death = textOf(headers?.["x-first-death-reason"])
  const reason = textOf(headers?.[ours.reason]) ??
    (death === undefined ? "put there by somebody else" : `the broker gave it up: ${death}`)
  return Option.match(decodeEnvelope(headers?.[ours.envelope]), {
    onSome: (envelope) => new DeadLetter({ ...common, reason, ...envelope }),
    onNone: () =>
      new DeadLetter({
        ...common,
        reason,
        step: "settle",
        category: "system",
        error: { tag: "DeadLetter", message: reason },
        attempts: 0,
        deliveries: 0,
        task: "",
        source: id,
        failedAt: new Date((message.timestamp ?? 0) * 1000).toISOString()
      })
  })
}

/** Of a sink: the envelope is the body. What somebody else has put there is shown as it is. */
export const sinkLetter = (id: string) => (message: AsyncMessage): DeadLetter =>
  Option.getOrElse(decodeLetter(message.body), () => ownLetter(id)(message))

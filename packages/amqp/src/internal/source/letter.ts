/**
 * A dead letter as a message: a copy of what was given up, with the reason and the envelope in its headers. Whoever reads
 * the queue sees the message as it was; `x-ergon-reason` says why it is there.
 */
import type { DeadLetter } from "@ergon/core/DeadLetter"
import type { AsyncMessage } from "../client/library.ts"
import type { Message } from "../client/publisher.ts"
import { copyOf } from "../message/copy.ts"
import { ours } from "../message/headers.ts"
import type { Grave } from "../settings/topology.ts"

// A header shares its frame with all others.
const most = 8_000

const cut = (text: string): string => text.length <= most ? text : `${text.slice(0, most)} [cut]`

/** The envelope without what the message has itself. */
const envelopeOf = ({ attempts, category, deliveries, error, failedAt, source, step, task }: DeadLetter): string =>
  JSON.stringify({
    attempts,
    category,
    deliveries,
    error: { tag: cut(error.tag), message: cut(error.message) },
    failedAt,
    source,
    step,
    task
  })

export const letterMessage = (
  given: {
    readonly message: AsyncMessage
    readonly id: string
    readonly queue: string
    readonly reason: string
    readonly letter: DeadLetter | undefined
    readonly key: string
  },
  { exchange, routingKey }: Grave
): Message => {
  const { id, letter, message, key, queue, reason } = given
  return copyOf(message, id, { exchange, routingKey }, {
    [ours.queue]: queue,
    [ours.letter]: key,
    [ours.reason]: cut(reason),
    ...letter === undefined ? {} : { [ours.envelope]: envelopeOf(letter) }
  })
}

/**
 * Publishes batches and waits until the broker has confirmed each message, over a confirm channel of its own.
 *
 * A message that no queue takes is returned: that is a failure of this message. A channel that the broker closes takes
 * down whatever was unconfirmed on it; the client library tells the reason to one of those only, so it is kept here for
 * all. While the broker takes no messages (an alarm of memory or disk) nothing is written at all: what is written then
 * would pile up in this process, once for each try.
 */
import * as Reason from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { call } from "./call.ts"
import type { Channel, Envelope } from "./library.ts"
import type { Link, Live } from "./link.ts"
import { reasonOf } from "./reason.ts"

/** One message: where it goes, and what it is. */
export interface Message {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: Envelope & { readonly messageId: string }
  readonly body: Buffer
}

/** One confirm channel and what the broker has said of it. */
interface Session {
  readonly channel: Channel
  /** Of what was returned: how the broker put it, by exchange, routing key and id. */
  readonly returned: Map<string, string>
  why: unknown
}

// How long a dispatch waits for a connection, for the end of an alarm, and for the broker's confirmations.
const bounds = { connection: 5_000, alarm: 30_000, confirms: 30_000 }

const addressOf = (exchange: string, routingKey: string, id: string | undefined): string =>
  `${exchange}\u0000${routingKey}\u0000${id}`

export class Publisher {
  readonly link: Link
  private session: Session | undefined
  private readonly opening = Semaphore.makeUnsafe(1)

  constructor(link: Link) {
    this.link = link
  }

  /**
   * Publishes a batch; answers with the reason of each that was not confirmed, `undefined` for the others. Worst case:
   * 5 seconds for a connection, 30 for the end of an alarm, and 30 for the confirmations.
   */
  publish(messages: ReadonlyArray<Message>): Effect.Effect<ReadonlyArray<Reason.Reason | undefined>> {
    if (messages.length === 0) return Effect.succeed([])
    return Effect.matchEffect(this.ready(), {
      onFailure: (reason) => Effect.succeed(messages.map(() => reason)),
      onSuccess: (session) => this.send(session, messages)
    })
  }

  private ready(): Effect.Effect<Session, Reason.Reason> {
    const opened = Semaphore.withPermit(
      this.opening,
      Effect.suspend(() => {
        const { session } = this
        return session?.channel.active === true
          ? Effect.succeed(session)
          : Effect.flatMap(this.link.open(bounds.connection), (live) => this.prepare(live))
      })
    )
    return Effect.andThen(this.link.unblocked(bounds.alarm), opened)
  }

  private prepare(live: Live): Effect.Effect<Session, Reason.Reason> {
    return Effect.flatMap(this.link.channel(live), (channel) => {
      const session: Session = { channel, returned: new Map(), why: undefined }
      channel.on("error", (error) => {
        session.why ??= error
      })
      channel.on("basic.return", ({ exchange, messageId, replyText, routingKey }) => {
        session.returned.set(addressOf(exchange, routingKey, messageId), replyText)
      })
      return Effect.map(call("asking for confirmations", () => channel.confirmSelect()), () => {
        this.session = session
        return session
      })
    })
  }

  private send(
    session: Session,
    messages: ReadonlyArray<Message>
  ): Effect.Effect<ReadonlyArray<Reason.Reason | undefined>> {
    const reasons: Array<Reason.Reason | undefined> = messages.map(() => unanswered)
    return Effect.callback<ReadonlyArray<Reason.Reason | undefined>>((resume) => {
      let left = messages.length
      const errors: Array<unknown> = []
      // What was returned is told a turn after its confirmation.
      const settled = () => {
        if (--left === 0) setImmediate(() => resume(Effect.sync(() => this.judge(session, messages, reasons, errors))))
      }
      for (let i = 0; i < messages.length; i++) {
        const { body, exchange, properties, routingKey } = messages[i]!
        session.channel.basicPublish({ ...properties, exchange, routingKey, mandatory: true, durable: true }, body)
          .then(() => {
            reasons[i] = undefined
            settled()
          }, (error: unknown) => {
            errors[i] = error
            settled()
          })
      }
    }).pipe(
      Effect.timeoutOrElse({
        duration: bounds.confirms,
        orElse: () => Effect.sync(() => this.judge(session, messages, reasons, []))
      })
    )
  }

  private judge(
    session: Session,
    messages: ReadonlyArray<Message>,
    reasons: Array<Reason.Reason | undefined>,
    errors: ReadonlyArray<unknown>
  ): ReadonlyArray<Reason.Reason | undefined> {
    // The library gives the reason of a closed channel to the first of its messages, and to the others that it is closed.
    const why = session.why ?? errors.find((error) => error !== undefined && !isClosed(error))
    const seen: Array<string> = []
    messages.forEach(({ exchange, properties, routingKey }, index) => {
      if (errors[index] !== undefined) {
        const error = isClosed(errors[index]) && why !== undefined && !isOfOne(why) ? why : errors[index]
        reasons[index] = reasonOf(`publishing "${properties.messageId}"`, error)
      }
      if (session.returned.size === 0) return
      const address = addressOf(exchange, routingKey, properties.messageId)
      const returned = session.returned.get(address)
      if (returned === undefined) return
      seen.push(address)
      reasons[index] = new Reason.NotFound({
        message: `no queue takes "${properties.messageId}": ${
          exchange === "" ? "" : `exchange "${exchange}" has none for `
        }routing key "${routingKey}" (${returned})`
      })
    })
    for (const address of seen) session.returned.delete(address)
    return reasons
  }
}

const codeOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "code" in error ? error.code : undefined

const isClosed = (error: unknown): boolean => codeOf(error) === "CH_CLOSE" || codeOf(error) === "ERR_STREAM_DESTROYED"

/** Refused for what it is, which says nothing of the others. */
const isOfOne = (error: unknown): boolean => codeOf(error) === "NACK" || codeOf(error) === "CODEC"

const unanswered = new Reason.Timeout({ message: `the broker did not confirm within ${bounds.confirms} ms` })

/**
 * A topic as a sink, and a topic of dead letters.
 */
import { type Connector, ConnectorError, Reason, type Transaction } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import type { Clients } from "./client/clients.ts"
import { Publisher } from "./client/publisher.ts"
import { dueHeader, retryHeader } from "./message/headers.ts"
import { type Outgoing, toMessage, type Write } from "./message/write.ts"
import type { LettersSettings, PublishSettings, SinkSettings } from "./settings/sink.ts"

type Written = (transaction: Transaction.Transaction<unknown>) => Write

const openSinkWith = (
  clients: Clients,
  settings: PublishSettings,
  write: Written
): Effect.Effect<Connector.SinkService, never, Scope.Scope> =>
  Effect.gen(function*() {
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const publisher = yield* Effect.acquireRelease(
      Effect.sync(() => new Publisher(clients, settings, (effect) => run(effect))),
      (publisher) => publisher.close
    )
    const error = (reason: Reason.Reason, failed?: ReadonlyArray<ConnectorError.Failed>) =>
      new ConnectorError.DispatchError({ reason, failed })
    return {
      format: "json",
      dispatch: (transactions) =>
        Effect.suspend(() => {
          const refused: Array<ConnectorError.Failed> = []
          const sent: Array<number> = []
          const messages: Array<Outgoing> = []
          for (const [index, transaction] of transactions.entries()) {
            const message = writeOf(transaction, write, settings.maxMessage)
            if (message instanceof Reason.InvalidRequest) refused.push({ index, reason: message })
            else {
              sent.push(index)
              messages.push(message)
            }
          }
          const [first] = refused
          return Effect.matchEffect(publisher.publish(messages), {
            onFailure: (reason) =>
              Effect.fail(
                first === undefined
                  ? error(reason)
                  : error(reason, [...refused, ...sent.map((index) => ({ index, reason }))])
              ),
            onSuccess: () => first === undefined ? Effect.void : Effect.fail(error(first.reason, refused))
          })
        }),
      health: Effect.suspend(() =>
        publisher.problem === undefined ? Effect.void : Effect.fail(error(publisher.problem))
      )
    }
  })

/** What a user's key function throws is the fault of that one transaction. */
const writeOf = (
  transaction: Transaction.Transaction<unknown>,
  write: Written,
  maxMessage: number
): Outgoing | Reason.InvalidRequest => {
  try {
    return toMessage(transaction, write(transaction), maxMessage)
  } catch (error) {
    return new Reason.InvalidRequest({
      message: `transaction ${JSON.stringify(transaction.id)}: its key could not be computed: ${
        error instanceof Error ? error.message : String(error)
      }`
    })
  }
}

export const openSink = (clients: Clients, settings: SinkSettings) =>
  openSinkWith(clients, settings, (transaction) => ({
    topic: settings.topic,
    key: settings.key?.(transaction),
    payload: transaction.payload,
    ...settings.delay > 0 ? { more: { [dueHeader]: String(Date.now() + settings.delay) } } : {}
  }))

interface Letter {
  readonly payload: unknown
  readonly metadata: Readonly<Record<string, unknown>>
  readonly category: unknown
}

const isLetter = (u: unknown): u is Letter =>
  Predicate.hasProperty(u, "payload") && Predicate.hasProperty(u, "category") && Predicate.hasProperty(u, "metadata") &&
  Predicate.isObject(u.metadata)

/** To the next retry topic, as it arrived; with none left, or when it cannot be decoded, to the dead letters. */
const letterWrite = (settings: LettersSettings): Written => ({ payload }) => {
  if (!isLetter(payload)) return { topic: settings.topic, key: undefined, payload }
  const { key: given, retries: count } = payload.metadata
  const key = typeof given === "string" ? given : undefined
  const retries = typeof count === "number" ? count : 0
  const next = payload.category === "invalid" ? undefined : settings.retry[retries]
  if (next === undefined) return { topic: settings.topic, key, payload }
  return {
    topic: next.topic,
    key,
    payload: payload.payload,
    more: { [retryHeader]: String(retries + 1), [dueHeader]: String(Date.now() + next.delay) }
  }
}

export const openLetters = (clients: Clients, settings: LettersSettings) =>
  openSinkWith(clients, settings, letterWrite(settings))

/**
 * A source: the adapter from a subscription to `SourceService`.
 */
import type { Capabilities, FetchRequest, SourceService } from "@ergon/core/Connector"
import { FetchError } from "@ergon/core/ConnectorError"
import type { Delivery } from "@ergon/core/Delivery"
import type * as Reason from "@ergon/core/Reason"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Broker } from "../../Broker.ts"
import { surviving } from "../client/surviving.ts"
import { asking, countQueue, prepare } from "../client/topology.ts"
import { keptLetters } from "../letters/kept.ts"
import { originOf, ownLetter } from "../letters/letterOf.ts"
import { copyOf } from "../message/copy.ts"
import { digest, idOf } from "../message/decode.ts"
import type { SourceSettings } from "../settings/connectors.ts"
import { Delays } from "./delay.ts"
import { Deliverer } from "./deliver.ts"
import { Receipt } from "./session.ts"
import { settling } from "./settle.ts"
import { Subscription } from "./subscription.ts"
import { Watchdog } from "./watchdog.ts"

const none: ReadonlyArray<Delivery> = []

export const capabilitiesOf = ({ delays, grave, queues }: SourceSettings): Capabilities => ({
  settlement: "each",
  lease: undefined,
  deliveries: queues.every(({ isQuorum }) => isQuorum) ? "native" : "engine",
  requeueDelay: delays ? "native" : "engine",
  deadLetter: grave === undefined ? "none" : "native",
  ordering: "none"
})

const fetchError = (reason: Reason.Reason) => new FetchError({ reason })

/**
 * Opens a source: the topology is made or checked now, the subscription begins with the first fetch. Worst case: the
 * broker's `connect` and 30 seconds for each question. With the scope what is unsettled goes back to its queue.
 */
export const openSource = (
  broker: Broker["Service"],
  settings: SourceSettings
): Effect.Effect<SourceService, FetchError, Scope.Scope> =>
  Effect.gen(function*() {
    const { consuming: link, publisher } = broker
    const clock = yield* Clock.Clock
    yield* Effect.mapError(
      Effect.flatMap(link.open(broker.connect), (live) => prepare(link, live, settings.topology, settings.declare)),
      fetchError
    )
    const subscription = new Subscription({ link, settings, clock, patience: broker.patience })
    const watchdog = new Watchdog({
      subscription,
      drop: (live, why) => link.drop(live, why),
      id: settings.id
    })
    const delays = new Delays(broker.publishing)
    const deliverer = new Deliverer(settings)
    const fitting = fits(settings, subscription)
    yield* Effect.addFinalizer(() => subscription.close())
    yield* Effect.forkScoped(surviving(`source "${settings.id}"`, Effect.suspend(() => subscription.run())))
    yield* Effect.forkScoped(surviving(`the watchdog of source "${settings.id}"`, watchdog.run()))

    // Reading raises the count of letters: only in a queue that was made here is it known to have no low limit.
    const grave = settings.declare ? settings.grave?.queue : undefined
    const letters = grave === undefined ? undefined : keptLetters({
      walker: { link, locks: broker.locks, queue: grave },
      publisher,
      isClosed: () => subscription.isClosed,
      letterOf: ownLetter(settings.id),
      back: (message) =>
        copyOf(
          message,
          idOf(message) ?? digest(message),
          { exchange: "", routingKey: homeOf(settings, originOf(message)) },
          {}
        )
    })

    const deliver = (receipts: ReadonlyArray<Receipt>): Effect.Effect<ReadonlyArray<Delivery>> => {
      if (receipts.length === 0) return Effect.succeed(none)
      const deliveries = receipts.map((receipt) => deliverer.deliver(receipt))
      return deliverer.hasWarnings ? Effect.as(deliverer.warn, deliveries) : Effect.succeed(deliveries)
    }

    const counted = Effect.gen(function*() {
      // What was settled before is settled when it is counted.
      if (subscription.session !== undefined) yield* subscription.session.confirmed
      const waiting = yield* subscription.waiting
      const delayed = delays.queues.length === 0 ? [] : yield* Effect.flatMap(
        broker.publishing.open(broker.connect),
        (live) =>
          asking(
            broker.publishing,
            live,
            (channel) => Effect.forEach(delays.queues, (name) => countQueue(channel, name))
          )
      )
      const { session } = subscription
      // What the broker had sent before it counted is here once it has answered this.
      if (session !== undefined) yield* session.confirmed
      const { buffered } = subscription
      const sum = (counts: ReadonlyArray<number>) => counts.reduce((sum, count) => sum + count, 0)
      return {
        ready: sum(waiting.map(({ messages }) => messages)) + buffered,
        inFlight: (session?.open.size ?? 0) - buffered,
        delayed: sum(delayed.map(({ messageCount }) => messageCount))
      }
    })

    const fetch = ({ max, wait }: FetchRequest) =>
      Effect.suspend(() => {
        let kept: Array<Receipt> = []
        const fetched = subscription.fetch(max, Duration.toMillis(wait), (receipts) => void (kept = receipts))
        return Effect.mapError(fetched, fetchError).pipe(
          Effect.flatMap((receipts) =>
            fitting.problem === undefined ? deliver(receipts) : Effect.andThen(fitting.warn, deliver(receipts))
          ),
          Effect.onInterrupt(() => Effect.sync(() => subscription.putBack(kept)))
        )
      })

    return {
      format: "json",
      capabilities: capabilitiesOf(settings),
      fetch,
      settle: settling({ settings, subscription, publisher, delays, clock }),
      isHeld: ({ receipt }) => receipt instanceof Receipt && receipt.isHeld,
      count: Effect.mapError(counted, fetchError),
      health: Effect.suspend(() => {
        const reason = subscription.trouble ?? watchdog.trouble ?? link.trouble
        return reason === undefined ? Effect.void : Effect.fail(fetchError(reason))
      }),
      ...letters === undefined ? {} : { letters }
    }
  })

/** The queue to which a letter goes back: where it was, if that is one of the source's. */
const homeOf = ({ queues }: SourceSettings, origin: string | undefined): string =>
  (queues.find(({ name }) => name === origin) ?? queues[0]!).name

/** Whether what may be unsettled fits what the task asks for. */
const fits = ({ id, prefetch }: SourceSettings, subscription: Subscription) => {
  let told = false
  const problem = (): string | undefined => {
    if (told || prefetch === undefined) return undefined
    const { fetches, slots = 0 } = subscription
    if (slots > prefetch) {
      return `source "${id}": prefetch is ${prefetch}, and the task asks for ${slots} at once: ${
        slots - prefetch
      } of its ` +
        `slots stay idle. Give at least ${slots}, better ${2 * slots}, or leave prefetch out`
    }
    if (fetches > 100 && prefetch > 20 * slots) {
      return `source "${id}": prefetch is ${prefetch}, and the task asks for at most ${slots} at once: the others wait here ` +
        "while another consumer could have them"
    }
    return undefined
  }
  return {
    get problem() {
      return problem()
    },
    warn: Effect.suspend(() => {
      const text = problem()
      told = true
      return text === undefined ? Effect.void : Effect.logWarning(text)
    })
  }
}

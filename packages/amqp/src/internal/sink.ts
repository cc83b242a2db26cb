/**
 * A sink: a batch is published and confirmed as a whole; what was refused or returned is named.
 */
import type { SinkService } from "@ergon/core/Connector"
import { DispatchError, type Failed } from "@ergon/core/ConnectorError"
import { InvalidRequest } from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Broker } from "../Broker.ts"
import type { Message } from "./client/publisher.ts"
import { prepare } from "./client/topology.ts"
import { messageOf } from "./message/encode.ts"
import type { SinkSettings } from "./settings/connectors.ts"
import { closed } from "./source/subscription.ts"

/** Opens a sink, whose messages are stamped: the topology is made or checked now. Worst case: the broker's `connect` and 30 seconds for each question. */
export const openSink = (
  broker: Broker["Service"],
  settings: SinkSettings,
  stamp: (message: Message) => Message = (message) => message
): Effect.Effect<SinkService, DispatchError, Scope.Scope> =>
  Effect.gen(function*() {
    const { publisher, publishing: link } = broker
    yield* Effect.mapError(
      Effect.flatMap(link.open(broker.connect), (live) => prepare(link, live, settings.topology, settings.declare)),
      (reason) => new DispatchError({ reason })
    )
    let isClosed = false
    yield* Effect.addFinalizer(() => Effect.sync(() => void (isClosed = true)))
    return {
      format: "json",
      dispatch: (transactions) =>
        Effect.suspend(() => {
          if (isClosed) return Effect.fail(new DispatchError({ reason: closed }))
          const failed: Array<Failed> = []
          const messages: Array<Message> = []
          const places: Array<number> = []
          transactions.forEach((transaction, index) => {
            const message = messageOf(transaction, settings)
            if (message instanceof InvalidRequest) return void failed.push({ index, reason: message })
            messages.push(stamp(message))
            places.push(index)
          })
          return Effect.flatMap(publisher.publish(messages), (reasons) => {
            reasons.forEach((reason, place) => {
              if (reason !== undefined) failed.push({ index: places[place]!, reason })
            })
            const [first] = failed
            return first === undefined
              ? Effect.void
              : Effect.fail(new DispatchError({ reason: first.reason, failed }))
          })
        }),
      health: Effect.suspend(() =>
        link.trouble === undefined ? Effect.void : Effect.fail(new DispatchError({ reason: link.trouble }))
      )
    }
  })

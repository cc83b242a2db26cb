/**
 * A sink of dead letters: a sink whose messages have a key each, so that they can be read again.
 */
import type { SinkService } from "@ergon/core/Connector"
import type { DispatchError } from "@ergon/core/ConnectorError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Broker } from "../Broker.ts"
import { keptLetters, Keys } from "./letters/kept.ts"
import { sinkLetter } from "./letters/letterOf.ts"
import { ours } from "./message/headers.ts"
import type { SinkSettings } from "./settings/connectors.ts"
import { openSink } from "./sink.ts"

export const openDeadLetters = (
  id: string,
  broker: Broker["Service"],
  settings: SinkSettings
): Effect.Effect<SinkService, DispatchError, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const keys = new Keys()
    let isClosed = false
    yield* Effect.addFinalizer(() => Effect.sync(() => void (isClosed = true)))
    const sink = yield* openSink(broker, settings, (message) => ({
      ...message,
      properties: {
        ...message.properties,
        headers: { ...message.properties.headers, [ours.letter]: keys.next(clock.currentTimeMillisUnsafe()) }
      }
    }))
    const [queue] = settings.topology.queues
    // Reading raises the count of letters: only in a queue that was made here is it known to have no low limit.
    if (!settings.declare || queue === undefined) return sink
    return {
      ...sink,
      letters: keptLetters({
        walker: { link: broker.consuming, locks: broker.locks, queue: queue.name },
        publisher: broker.publisher,
        isClosed: () => isClosed,
        letterOf: sinkLetter(id)
      })
    }
  })

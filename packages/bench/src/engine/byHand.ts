import { type Connector, Disposition } from "@ergon/core"
import { Duration, Effect, Option, Schedule, Schema, Stream } from "effect"
import { noop, Payload } from "./payload.ts"

/**
 * The same guarantees written by hand in the obvious way: a stream of deliveries, and per transaction one decode, one
 * retry, one timeout, two spans and one settlement.
 */
export const byHand = (source: Connector.SourceService, concurrency: number): Effect.Effect<number, unknown> => {
  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(Payload))
  const request = { max: concurrency, wait: Duration.zero }
  const deliveries = Stream.paginate(
    0,
    () =>
      Effect.map(
        source.fetch(request),
        (deliveries) => [deliveries, deliveries.length === 0 ? Option.none<number>() : Option.some(0)] as const
      )
  )
  return deliveries.pipe(
    Stream.mapEffect((delivery) =>
      decode(delivery.transaction.payload).pipe(
        Effect.flatMap(() =>
          noop().pipe(
            Effect.withSpan("attempt"),
            Effect.retry(Schedule.recurs(2)),
            Effect.timeout("60 seconds")
          )
        ),
        Effect.andThen(source.settle([Disposition.settlement(delivery, Disposition.ack)])),
        Effect.withSpan("transaction")
      ), { concurrency, unordered: true }),
    Stream.runCount
  )
}

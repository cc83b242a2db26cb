import { type Connector, type Delivery, Disposition } from "@ergon/core"
import { Duration, Effect, Exit, Schema } from "effect"
import { noop, Payload } from "./payload.ts"

/**
 * The floor: `concurrency` fibers that pull from what was fetched, run the program, and settle a whole fetch at once.
 * No retry, no timeout, no deadline, no outcome; a failure ends it.
 */
export const bareLoop = (
  source: Connector.SourceService,
  concurrency: number,
  decodes: boolean
): Effect.Effect<number, unknown> =>
  Effect.suspend(() => {
    const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(Payload))
    const request = { max: concurrency, wait: Duration.zero }
    let buffer: ReadonlyArray<Delivery.Delivery> = []
    let head = 0
    let ended = false
    let processed = 0
    const refill = Effect.suspend(() => {
      const settled = buffer.map((delivery) => Disposition.settlement(delivery, Disposition.ack))
      return Effect.flatMap(source.settle(settled), () =>
        Effect.map(source.fetch(request), (deliveries) => {
          buffer = deliveries
          head = 0
          ended = deliveries.length === 0
        }))
    })
    const one = Effect.suspend((): Effect.Effect<void, unknown> => {
      const delivery = buffer[head++]
      if (delivery === undefined) return ended ? Effect.void : refill
      processed++
      if (!decodes) return noop()
      const payload = decode(delivery.transaction.payload)
      return Exit.isExit(payload) ? noop() : Effect.andThen(payload, noop())
    })
    const worker = Effect.whileLoop({ while: () => !ended, body: () => one, step: () => {} })
    return Effect.as(Effect.all(Array.from({ length: concurrency }, () => worker), { concurrency, discard: true }), 0)
      .pipe(Effect.map(() => processed))
  })

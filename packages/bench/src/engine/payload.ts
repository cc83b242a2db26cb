import { Connector } from "@ergon/core"
import { Effect, Schema } from "effect"

/** Three fields, as every case of this benchmark decodes them. */
export const Payload = Schema.Struct({ id: Schema.String, quantity: Schema.Int, unitPrice: Schema.Number })

export class Payloads extends Connector.Source<Payloads>()("payloads", Payload) {}

/** `count` transactions, made as they are pulled: a million of them must not stand in memory. */
export function* encoded(count: number) {
  for (let i = 0; i < count; i++) {
    yield { id: `p-${i}`, payload: { id: `p-${i}`, quantity: i % 7, unitPrice: 2.5 }, metadata: {} }
  }
}

/** The program: nothing. */
export const noop = () => Effect.void

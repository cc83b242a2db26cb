/** The keys, errors and services that the type tests are written with. */
import { Connector } from "@ergon/core"
import { Context, type Effect, Schema, SchemaGetter } from "effect"

export const Order = Schema.Struct({ quantity: Schema.Int, at: Schema.DateFromString })
export const Receipt = Schema.Struct({ total: Schema.Number, status: Schema.Literals(["ok", "late"]) })
export const Job = Schema.Struct({ n: Schema.Int })

export class Orders extends Connector.Source<Orders>()("orders", Order) {}
export class Receipts extends Connector.Sink<Receipts>()("receipts", Receipt) {}
export class Audit extends Connector.Sink<Audit>()("audit", Schema.String) {}
export class Jobs extends Connector.Queue<Jobs>()("jobs", Job) {}
export class Dead extends Connector.DeadLetters<Dead>()("dead") {}

export class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String }) {}
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", { after: Schema.Int }) {}

export class Pricing extends Context.Service<Pricing, {
  readonly price: (quantity: number) => Effect.Effect<number, RateLimited>
}>()("Pricing") {}
export class Mail extends Context.Service<Mail, { readonly send: Effect.Effect<void, "unsent"> }>()("Mail") {}

/** A schema that needs one service to decode and another to encode. */
export class Keys
  extends Context.Service<Keys, { readonly open: (sealed: string) => Effect.Effect<string> }>()("Keys")
{}
export class Seals
  extends Context.Service<Seals, { readonly seal: (open: string) => Effect.Effect<string> }>()("Seals")
{}
export const Sealed = Schema.String.pipe(Schema.decodeTo(Schema.String, {
  decode: SchemaGetter.transformEffect((sealed: string) => Keys.use((keys) => keys.open(sealed))),
  encode: SchemaGetter.transformEffect((open: string) => Seals.use((seals) => seals.seal(open)))
}))

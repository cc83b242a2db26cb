import { Context, Effect, Layer, Schema } from "effect"

export class UnknownSku extends Schema.TaggedError<UnknownSku>()("UnknownSku", { sku: Schema.String }) {}
export class CatalogueDown extends Schema.TaggedError<CatalogueDown>()("CatalogueDown", { message: Schema.String }) {}
export class TooManyRequests extends Schema.TaggedError<TooManyRequests>()("TooManyRequests", {
  retryAfter: Schema.Duration
}) {}

/** A service: an ordinary one of Effect. It knows nothing of transactions; its errors are for the task to decide about. */
export class Catalogue extends Context.Service<Catalogue, {
  /** The price of one piece, in cents. */
  readonly price: (sku: string) => Effect.Effect<number, UnknownSku | CatalogueDown | TooManyRequests>
}>()("__PROJECT__/Catalogue") {}

const prices: Readonly<Record<string, number>> = { bolt: 250, nut: 120, washer: 40 }

/** A table that does not change. Put the API of your catalogue in its place. */
export const catalogueLive = Layer.succeed(Catalogue, {
  price: (sku) => {
    const price = prices[sku]
    return price === undefined ? Effect.fail(new UnknownSku({ sku })) : Effect.succeed(price)
  }
})

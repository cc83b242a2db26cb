/**
 * A stream of a test's own on the local server, gone with everything beside it at the end.
 */
import { Connector, Disposition } from "@ergon/core"
import type { Delivery } from "@ergon/core"
import { Context, Duration, Effect, Exit, Layer, Schema, Scope } from "effect"
import { randomUUID } from "node:crypto"
import { Redis, RedisClient } from "../index.ts"

export const port = 6379

export class Items extends Connector.Queue<Items>()("items", Schema.Unknown) {}

/** Commands of a test. */
export const admin = Effect.map(
  Layer.build(Layer.fresh(RedisClient.layer({ port }))),
  (context) => (command: string, ...args: ReadonlyArray<string>) =>
    Context.get(context, RedisClient.RedisClient).send(command, ...args)
)

export const fresh = Effect.acquireRelease(
  Effect.sync(() => `{ergon-test-${randomUUID()}}`),
  (stream) =>
    Effect.scoped(Effect.gen(function*() {
      const send = yield* admin
      const keys = yield* send("KEYS", `*${stream.slice(1, -1)}*`)
      if (Array.isArray(keys) && keys.length > 0) yield* send("DEL", ...keys.map(String))
    })).pipe(Effect.orDie)
)

/** A connector in a scope of its own. */
export const open = (options: Redis.QueueOptions, at = port) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const layer = Redis.queue(Items, { poll: "100 millis", ...options }).pipe(
      Layer.provide(RedisClient.layer({ port: at }))
    )
    const context = yield* Scope.provide(Layer.build(Layer.fresh(layer)), scope)
    const { sink, source } = Context.get(context, Items)
    const fetch = (max: number, wait: Duration.Input = 0) =>
      Effect.orDie(source.fetch({ max, wait: Duration.fromInputUnsafe(wait) }))
    const settle = (deliveries: ReadonlyArray<Delivery.Delivery>, disposition: Disposition.Disposition) =>
      source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, disposition)))
    return { sink, source, fetch, settle, close: Scope.close(scope, Exit.void) }
  })

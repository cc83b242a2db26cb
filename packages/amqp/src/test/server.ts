/**
 * A RabbitMQ of a test file's own, started before its tests and killed after them.
 */
import { RabbitMq } from "@ergon/lab"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll } from "vitest"

/** Ports that were free a moment ago can be taken when a node begins to listen: then it gets others. */
export const started = <A, E, R>(server: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.retry(server, { times: 2 })

export const server = (settings: ReadonlyArray<string> = []): { readonly get: RabbitMq.RabbitMq } => {
  const scope = Effect.runSync(Scope.make())
  let made: RabbitMq.RabbitMq | undefined
  beforeAll(async () => {
    made = await Effect.runPromise(Scope.provide(started(RabbitMq.server(settings)), scope))
  }, 90_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), 60_000)
  return {
    get get() {
      if (made === undefined) throw new Error("the server has not started")
      return made
    }
  }
}

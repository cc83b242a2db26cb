/** The side of a thread: runs one call after the other, each in a fiber of its own. */
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { WorkerRunnerPlatform } from "../effectWorkers.ts"
import { entering, surroundThread } from "./boundary.ts"
import { type Call, codecs, type Schemas, type ToPool, type ToThread } from "./protocol.ts"

export const serve = <R>(
  service: string,
  schemas: Schemas,
  handler: (payload: unknown) => Effect.Effect<unknown, unknown, R>
): Effect.Effect<void, never, R> =>
  Effect.gen(function*() {
    const runner = yield* Effect.orDie((yield* WorkerRunnerPlatform).start<ToPool, ToThread>())
    const { decodePayload, encodeExit } = codecs(schemas)
    const runFork = Effect.runForkWith(yield* Effect.context<R>())
    const fibers = new Map<number, Fiber.Fiber<unknown, unknown>>()

    // Only the work itself can be interrupted; what came of it is always told.
    const call = ({ boundary, id, payload }: Call): void => {
      const work = entering(boundary)(Effect.scoped(Effect.flatMap(Effect.orDie(decodePayload(payload)), handler)))
      const told = Effect.uninterruptibleMask((restore) =>
        Effect.exit(restore(work)).pipe(
          Effect.flatMap(encodeExit),
          // What does not fit its own schema is a defect, and defects always fit.
          Effect.catch((error) => Effect.orDie(encodeExit(Exit.die(error)))),
          Effect.flatMap((exit) => runner.send(0, { _tag: "Exit", id, exit })),
          Effect.ensuring(Effect.sync(() => fibers.delete(id)))
        )
      )
      fibers.set(id, runFork(told))
    }
    yield* runner.send(0, { _tag: "Ready", service })
    yield* Effect.ignore(runner.run((_, message) =>
      Effect.sync(() => message._tag === "Call" ? call(message) : fibers.get(message.id)?.interruptUnsafe())
    ))
  }).pipe(Effect.scoped, Effect.provide(NodeWorkerRunner.layer), surroundThread(service))

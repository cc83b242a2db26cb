/** Whether a debugger may stop this process. */
import * as Effect from "effect/Effect"

/** A Node that was built without an inspector has none. */
export const probe: Effect.Effect<() => boolean> = Effect.tryPromise(() => import("node:inspector")).pipe(
  Effect.map(({ url }) => () => url() !== undefined),
  Effect.orElseSucceed(() => () => false)
)

/** What is piped into the process. */
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { UsageError } from "../usageError.ts"

/** All of it, as text. Waits until whoever writes has ended. */
export const readAll: Effect.Effect<string, UsageError, Stdio.Stdio> = Effect.flatMap(
  Stdio.Stdio,
  ({ stdin }) =>
    Stream.mkString(Stream.decodeText(stdin)).pipe(
      Effect.mapError((error) => new UsageError({ message: `stdin cannot be read: ${error.message}` }))
    )
)

/**
 * An option that is a duration, in milliseconds.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { format } from "effect/Formatter"
import * as Option from "effect/Option"
import { SetupError } from "../SetupError.ts"

/** At least `least` milliseconds; what is no finite duration names the option. */
export const millis = (
  table: string,
  field: string,
  input: Duration.Input,
  least: number
): Effect.Effect<number, SetupError> => {
  const millis = Option.match(Duration.fromInput(input), { onNone: () => NaN, onSome: Duration.toMillis })
  return Number.isFinite(millis) && millis >= least
    ? Effect.succeed(Math.ceil(millis))
    : Effect.fail(
      new SetupError({
        table,
        problem: `${field} must be a finite duration of at least ${least} ms, got ${format(input)}`
      })
    )
}

/**
 * Which letters: the filter as it was given, checked and worked out.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { format } from "effect/Formatter"
import * as Option from "effect/Option"
import { LettersError } from "../../ConnectorError.ts"
import type { DeadLetter } from "../../DeadLetter.ts"
import { InvalidRequest } from "../../Reason.ts"
import type { Filter } from "../../Redrive.ts"
import { description } from "../policy/description.ts"
import type { Rate, RateInput } from "../policy/field.ts"

const invalid = (message: string): Effect.Effect<never, LettersError> =>
  Effect.fail(new LettersError({ reason: new InvalidRequest({ message }) }))

const millis = (name: string, input: Duration.Input | undefined): Effect.Effect<number | undefined, LettersError> => {
  if (input === undefined) return Effect.undefined
  const millis = Option.match(Duration.fromInput(input), { onNone: () => NaN, onSome: Duration.toMillis })
  return millis >= 0
    ? Effect.succeed(millis)
    : invalid(`${name} must be a duration such as "2 hours", got ${format(input)}`)
}

export interface Compiled {
  readonly matches: (letter: DeadLetter) => boolean
  /** Asked for by name; without it, all. */
  readonly ids: ReadonlyArray<string> | undefined
  readonly limit: number
}

/** When it failed, in milliseconds; `NaN` where somebody has written something else by hand. */
export const failedAt = (letter: DeadLetter): number => Date.parse(letter.failedAt)

/** `now` is when ages count from, in milliseconds. */
export const compile = (filter: Filter, now: number): Effect.Effect<Compiled, LettersError> =>
  Effect.gen(function*() {
    const older = yield* millis("olderThan", filter.olderThan)
    const younger = yield* millis("youngerThan", filter.youngerThan)
    const { categories, limit = Infinity, steps, tags } = filter
    if (!(limit >= 0) || (Number.isFinite(limit) && !Number.isInteger(limit))) {
      return yield* invalid(`limit must be a whole number of at least 0, got ${format(limit)}`)
    }
    const isOneOf = (value: string, values: ReadonlyArray<string> | undefined) =>
      values === undefined || values.includes(value)
    return {
      ids: filter.ids === undefined ? undefined : [...new Set(filter.ids)],
      limit,
      matches: (letter) => {
        const age = now - failedAt(letter)
        return isOneOf(letter.error.tag, tags) && isOneOf(letter.step, steps) &&
          isOneOf(letter.category, categories) && (older === undefined || age > older) &&
          (younger === undefined || age < younger)
      }
    }
  })

/** A rate, as a policy reads one. */
export const readRate = (input: RateInput | undefined): Effect.Effect<Rate | undefined, LettersError> => {
  if (input === undefined) return Effect.undefined
  const { rate } = description.loop
  const read = rate.read(input, "code")
  return read !== undefined && rate.accepts(read.value)
    ? Effect.succeed(read.value)
    : invalid(`rate must be ${rate.expected}, got ${format(input)}`)
}

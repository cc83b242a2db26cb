/**
 * From what code, JSON and the environment say to a configuration in which every option is decided.
 */
import type * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ObservabilityError } from "../../ObservabilityError.ts"
import { check } from "./check.ts"
import type { Effective } from "./effective.ts"
import { type FromEnvironment, fromEnvironment } from "./environment.ts"
import { merge } from "./merge.ts"
import { type Dialect, resolve } from "./resolve.ts"
import type { Input } from "./schema.ts"

const nothing: FromEnvironment = { input: {}, names: new Map(), problems: [] }

/** The environment lies over the input. All problems of both are told at once. */
export const read = (
  input: unknown,
  options: { readonly dialect: Dialect; readonly eager: boolean },
  environment: FromEnvironment = nothing
): Result.Result<Effective, ObservabilityError> => {
  const checked = check(input)
  const wrong = [
    ...Result.match(checked, { onFailure: (problems) => problems, onSuccess: () => [] }),
    ...environment.problems
  ]
  if (Result.isFailure(checked) || wrong.length > 0) return Result.fail(new ObservabilityError({ problems: wrong }))
  const resolved = resolve(
    merge(checked.success, environment.input),
    options,
    (path) => environment.names.get(path) ?? path
  )
  return Result.mapError(resolved, (problems) => new ObservabilityError({ problems }))
}

export const readWithEnvironment = (
  input: Input
): Effect.Effect<Effective, ObservabilityError | ConfigProvider.SourceError> =>
  Effect.flatMap(
    fromEnvironment,
    (environment) => Effect.fromResult(read(input, { dialect: "code", eager: false }, environment))
  )

/** What the environment says alone. */
export const inputFromEnvironment: Effect.Effect<Input, ObservabilityError | ConfigProvider.SourceError> = Effect
  .flatMap(
    fromEnvironment,
    ({ input, problems }) =>
      problems.length === 0 ? Effect.succeed(input) : Effect.fail(new ObservabilityError({ problems }))
  )

/**
 * One pass over the dead letters of a task: reading them, and sending those that match again.
 *
 * A redrive ends: what is given up after it began, also what it has just sent and what failed once more, is left for the
 * next one. A batch cannot be interrupted, so that an interruption leaves no letter behind of what has gone back. Worst
 * case of an interruption: one batch.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { LettersError } from "../../ConnectorError.ts"
import { Unsupported } from "../../Reason.ts"
import type { Filter, Letter, Options, Summary } from "../../Redrive.ts"
import type { Definition } from "../definition.ts"
import { RateLimit } from "../engine/rate.ts"
import { compile, type Compiled, failedAt, readRate } from "./filter.ts"
import { type Kept, notFound, placesOf } from "./places.ts"

// Letters of one page, and of one batch.
const together = 100

const places = (definition: Definition, filter: Filter): Effect.Effect<ReadonlyArray<Kept>, LettersError> =>
  Effect.contextWith((context) => placesOf(definition, context, filter.from))

/** What is at one place and matches, each page of it a chunk. */
const lettersAt = (kept: Kept, filter: Filter, { ids, matches }: Compiled): Stream.Stream<Letter, LettersError> => {
  const ours = (stored: ReadonlyArray<{ readonly key: string; readonly letter: Letter["letter"] }>): Array<Letter> =>
    stored.flatMap(({ key, letter }) =>
      kept.isOurs(letter, filter.task) && matches(letter)
        ? [{ place: kept.place, connector: kept.connector, key, letter }]
        : []
    )
  if (ids !== undefined) {
    return Stream.fromIterable(ids).pipe(
      Stream.mapEffect((id) => kept.letters.find(id)),
      Stream.flatMap((stored) => Stream.fromIterable(ours(stored))),
      Stream.rechunk(together)
    )
  }
  return Stream.paginate(undefined as string | undefined, (after) =>
    Effect.map(
      kept.letters.list({ after, max: together }),
      ({ letters, next }) => [ours(letters), next === undefined ? Option.none() : Option.some(next)] as const
    ))
}

/** All of them, the sink's first, oldest first at each place. */
export const letters = (definition: Definition, filter: Filter): Stream.Stream<Letter, LettersError> =>
  Stream.unwrap(Effect.gen(function*() {
    const compiled = yield* compile(filter, yield* Clock.currentTimeMillis)
    const found = yield* places(definition, filter)
    return Stream.take(
      Stream.flatMap(Stream.fromIterable(found), (kept) => lettersAt(kept, filter, compiled)),
      compiled.limit
    )
  }))

/** Those of one transaction; at least one. */
export const lettersOf = (
  definition: Definition,
  id: string,
  filter: Filter
): Effect.Effect<ReadonlyArray<Letter>, LettersError> =>
  Effect.flatMap(
    Stream.runCollect(letters(definition, { ...filter, ids: [id] })),
    (found) => found.length === 0 ? Effect.fail(notFound(definition.name, id)) : Effect.succeed(found)
  )

/** Whether a letter was there when the redrive began; of those of the same millisecond, one for each transaction. */
const thereBefore = (begun: number): (letter: Letter) => boolean => {
  const seen = new Set<string>()
  return ({ letter, place }) => {
    const at = failedAt(letter)
    if (at > begun) return false
    if (at < begun || Number.isNaN(at)) return true
    const one = JSON.stringify([place, letter.source, letter.id])
    if (seen.has(one)) return false
    seen.add(one)
    return true
  }
}

/** How many of `count` may go now, at least one: waits for it where a rate says so. */
const pace = (rate: RateLimit | undefined, count: number): Effect.Effect<number> =>
  rate === undefined ? Effect.succeed(count) : Effect.flatMap(Clock.currentTimeMillis, (now) => {
    let allowed = 0
    while (allowed < count && rate.allowedAt() <= now) {
      rate.started(now)
      allowed++
    }
    return allowed > 0
      ? Effect.succeed(allowed)
      : Effect.andThen(Effect.sleep(Duration.millis(rate.allowedAt() - now)), pace(rate, count))
  })

// Failures that are told with their reasons.
const mostTold = 100

class Counts {
  matched = 0
  redriven = 0
  gone = 0
  failed = 0
  readonly failures: Array<{ readonly id: string; readonly reason: string }> = []
  readonly seen = new Set<string>()

  summary(ids: ReadonlyArray<string> | undefined): Summary {
    const { failed, failures, gone, matched, redriven } = this
    return {
      matched,
      redriven,
      gone,
      failed,
      failures: [...failures],
      missing: (ids ?? []).filter((id) => !this.seen.has(id))
    }
  }
}

/** Before anything moves: all of the places, or none. */
const allowed = (found: ReadonlyArray<Kept>): Effect.Effect<void, LettersError> => {
  const refusals = found.flatMap(({ goBack }) => typeof goBack === "function" ? [] : [goBack.message])
  if (refusals.length === 0) return Effect.void
  const others = found.flatMap(({ goBack, place }) =>
    typeof goBack === "function" ? [`; what is in the ${place} can be: from "${place}"`] : []
  )
  return Effect.fail(new LettersError({ reason: new Unsupported({ message: [...refusals, ...others].join("") }) }))
}

export const redrive = (definition: Definition, options: Options): Effect.Effect<Summary, LettersError> =>
  Effect.gen(function*() {
    const begun = yield* Clock.currentTimeMillis
    const compiled = yield* compile(options, begun)
    const given = yield* readRate(options.rate)
    const rate = given === undefined ? undefined : new RateLimit(given.limit, Duration.toMillis(given.interval))
    const found = yield* places(definition, options)
    const dryRun = options.dryRun ?? false
    if (!dryRun) yield* allowed(found)
    const counts = new Counts()
    const told = Effect.suspend(() => options.onProgress?.(counts.summary(compiled.ids)) ?? Effect.void)

    const send = (kept: Kept, batch: ReadonlyArray<Letter>): Effect.Effect<void, LettersError> =>
      Effect.suspend(() => {
        const { goBack } = kept
        if (typeof goBack !== "function") return Effect.fail(new LettersError({ reason: goBack }))
        return Effect.map(Effect.uninterruptible(goBack(batch)), ({ failed, gone }) => {
          counts.failed += failed.length
          counts.gone += gone
          counts.redriven += batch.length - gone - failed.length
          counts.failures.push(...failed.slice(0, mostTold - counts.failures.length))
        })
      })

    const sendAll = (kept: Kept, batch: ReadonlyArray<Letter>): Effect.Effect<void, LettersError> =>
      batch.length === 0 ?
        Effect.void :
        Effect.flatMap(pace(rate, batch.length), (count) =>
          send(kept, batch.slice(0, count)).pipe(
            Effect.andThen(told),
            Effect.andThen(sendAll(kept, batch.slice(count)))
          ))

    for (const kept of found) {
      const isOld = thereBefore(begun)
      const left = compiled.limit - counts.matched
      if (left <= 0) break
      yield* lettersAt(kept, options, compiled).pipe(
        Stream.filter((letter) => compiled.ids !== undefined || isOld(letter)),
        Stream.take(left),
        Stream.runForEachArray((batch) => {
          counts.matched += batch.length
          for (const { letter } of batch) counts.seen.add(letter.id)
          return dryRun ? told : sendAll(kept, batch)
        })
      )
    }
    return counts.summary(compiled.ids)
  })

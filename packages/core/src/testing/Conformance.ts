/**
 * The conformance suite: the laws that every connector keeps, free of any test runner.
 *
 * A harness says how to reach the connector; its capabilities choose the laws. A law that does not apply is reported
 * with its reason.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { SourceService } from "../Connector.ts"
import * as Disposition from "../Disposition.ts"
import { askingLaws } from "../internal/conformance/asking.ts"
import { fetchingLaws } from "../internal/conformance/fetching.ts"
import { holdingLaws } from "../internal/conformance/holding.ts"
import { deadLettersLaws, ownLettersLaws } from "../internal/conformance/letters.ts"
import { roundTripLaws } from "../internal/conformance/roundTrip.ts"
import { secretLaws } from "../internal/conformance/secrets.ts"
import { settlingLaws } from "../internal/conformance/settling.ts"
import { sinkLaws, SinkTrial } from "../internal/conformance/sinks.ts"
import { type Check, endIsEmpty, request, Time, Trial, works } from "../internal/conformance/trial.ts"
import type { Transaction } from "../Transaction.ts"
import type * as Harness from "./Harness.ts"
import { type Law, LawViolation } from "./Law.ts"

/**
 * What became of one law.
 *
 * @category models
 * @since 0.1.0
 */
export type Result =
  | { readonly _tag: "Held"; readonly law: string }
  | { readonly _tag: "Broken"; readonly law: string; readonly violation: LawViolation }
  | { readonly _tag: "NotApplicable"; readonly law: string; readonly reason: string }

/**
 * What became of each law, in their order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly results: ReadonlyArray<Result>
  /** Whether no law was broken. */
  readonly holds: boolean
}

const liveClock = Clock.Clock.defaultValue()

const law = (
  name: string,
  applies: true | string,
  harness: Harness.Common,
  check: Check<void>
): Law => ({
  name,
  applies,
  check: Effect.scoped(check).pipe(
    Effect.mapError(({ cause, seen }) => new LawViolation({ law: name, seen, cause })),
    Effect.catchDefect((defect) =>
      Effect.fail(new LawViolation({ law: name, seen: `a defect: ${String(defect)}`, cause: defect }))
    ),
    harness.time === "test" ? Effect.provide(TestClock.layer()) : Effect.provideService(Clock.Clock, liveClock)
  )
})

/**
 * The laws of a source.
 *
 * **Example** (The scripted push source keeps them)
 * ```ts import.meta.vitest
 * import { Conformance, PushSource } from "@ergon/core/testing"
 * import { Effect } from "effect"
 *
 * const laws = Conformance.source({
 *   name: "PushSource",
 *   time: "test",
 *   capabilities: PushSource.capabilities,
 *   operations: ["count", "isHeld"],
 *   can: ["cut"],
 *   prefetch: 10,
 *   storage: Effect.map(PushSource.make({ prefetch: 10 }), (broker) => ({
 *     open: broker.connect,
 *     enqueue: broker.publish,
 *     cut: broker.cut
 *   }))
 * })
 * const report = await Effect.runPromise(Conformance.run(laws))
 * report.holds // => true
 * ```
 *
 * @category laws
 * @since 0.1.0
 */
export const source = (harness: Harness.Source): ReadonlyArray<Law> =>
  [
    ...roundTripLaws,
    ...fetchingLaws,
    ...settlingLaws,
    ...holdingLaws,
    ...askingLaws,
    ...ownLettersLaws,
    ...secretLaws
  ].map(({ applies, check, name }) =>
    law(
      name,
      harness.without?.[name] ?? applies(harness),
      harness,
      Effect.flatMap(
        works("making a storage", harness.storage),
        (storage) => check(new Trial(harness, storage))
      )
    )
  )

/**
 * The laws of a sink.
 *
 * @category laws
 * @since 0.1.0
 */
export const sink = (harness: Harness.Sink): ReadonlyArray<Law> =>
  sinkLaws.map(({ applies, check, name }) =>
    law(
      name,
      harness.without?.[name] ?? applies(harness),
      harness,
      Effect.flatMap(
        works("making a storage", harness.storage),
        (storage) => check(new SinkTrial(harness, storage))
      )
    )
  )

/**
 * The laws of a sink for dead letters whose letters can be read.
 *
 * @category laws
 * @since 0.1.0
 */
export const deadLetters = (harness: Harness.DeadLetters): ReadonlyArray<Law> =>
  deadLettersLaws.map(({ check, name }) =>
    law(
      name,
      harness.without?.[name] ?? true,
      harness,
      Effect.flatMap(works("making a storage", harness.storage), (storage) => check(harness, storage))
    )
  )

/**
 * The laws of a queue: those of its source, then those of its sink.
 *
 * @category laws
 * @since 0.1.0
 */
export const queue = (harness: Harness.Queue): ReadonlyArray<Law> => [
  ...source({
    ...harness,
    can: harness.can.filter((ability) => ability !== "refused"),
    storage: Effect.map(harness.storage, (storage) => ({
      ...storage,
      open: Effect.map(storage.open, ({ source }) => source),
      enqueue: (transactions) => Effect.scoped(Effect.flatMap(storage.open, ({ sink }) => sink.dispatch(transactions)))
    }))
  }),
  ...sink({
    ...harness,
    can: harness.can.filter((ability) => ability === "cut" || ability === "refused"),
    storage: Effect.map(harness.storage, (storage) => ({
      cut: storage.cut,
      refused: storage.refused,
      open: Effect.map(storage.open, ({ sink }) => sink),
      received: Effect.scoped(Effect.flatMap(storage.open, ({ source }) => drain(source, new Time(harness).look)))
    }))
  })
]

/** Fetches and acknowledges until nothing comes. */
const drain = (source: SourceService, look: number) =>
  Effect.gen(function*() {
    const received: Array<Transaction<unknown>> = []
    for (;;) {
      const deliveries = yield* endIsEmpty(source.fetch(request(100, look)))
      if (deliveries.length === 0) return received
      yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
      received.push(...deliveries.map(({ transaction }) => transaction))
    }
  })

/**
 * Checks each law that applies, one after the other.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (laws: ReadonlyArray<Law>): Effect.Effect<Report> =>
  Effect.map(
    Effect.forEach(laws, ({ applies, check, name }) =>
      applies !== true
        ? Effect.succeed<Result>({ _tag: "NotApplicable", law: name, reason: applies })
        : Effect.match(check, {
          onFailure: (violation): Result => ({ _tag: "Broken", law: name, violation }),
          onSuccess: (): Result => ({ _tag: "Held", law: name })
        })),
    (results) => ({ results, holds: results.every(({ _tag }) => _tag !== "Broken") })
  )

/**
 * The laws that apply: one test each, in whatever runner.
 *
 * @category laws
 * @since 0.1.0
 */
export const applying = (laws: ReadonlyArray<Law>): ReadonlyArray<Law> => laws.filter(({ applies }) => applies === true)

/**
 * The laws that do not apply, each with its reason: for a test that pins them, so that none drops out unnoticed.
 *
 * @category laws
 * @since 0.1.0
 */
export const excused = (laws: ReadonlyArray<Law>): { readonly [law: string]: string } =>
  Object.fromEntries(laws.flatMap(({ applies, name }) => applies === true ? [] : [[name, applies]]))

/**
 * The laws that do not apply as text, a line for each: for the output of a test run.
 *
 * @category running
 * @since 0.1.0
 */
export const formatExcused = (name: string, laws: ReadonlyArray<Law>): string =>
  [
    `${name}: ${applying(laws).length} laws apply, ${laws.length - applying(laws).length} do not`,
    ...Object.entries(excused(laws)).map(([law, reason]) => `- ${law} (${reason})`)
  ].join("\n")

/**
 * A report as text: a line for each law, and a last line that counts them.
 *
 * **Example** (What a report looks like)
 * ```ts import.meta.vitest
 * import { Conformance } from "@ergon/core/testing"
 *
 * Conformance.format({
 *   holds: true,
 *   results: [
 *     { _tag: "Held", law: "payloads survive the round trip" },
 *     { _tag: "NotApplicable", law: "the order is kept", reason: "the source keeps no order" }
 *   ]
 * }).split("\n")
 * // => ["✓ payloads survive the round trip", "- the order is kept (does not apply: the source keeps no order)", "1 held, 0 broken, 1 not applicable"]
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const format = (report: Report): string => {
  const lines = report.results.map((result) => {
    switch (result._tag) {
      case "Held":
        return `✓ ${result.law}`
      case "Broken":
        return `✗ ${result.law}: ${result.violation.seen}`
      case "NotApplicable":
        return `- ${result.law} (does not apply: ${result.reason})`
    }
  })
  const count = (tag: Result["_tag"]) => report.results.filter(({ _tag }) => _tag === tag).length
  return [...lines, `${count("Held")} held, ${count("Broken")} broken, ${count("NotApplicable")} not applicable`].join(
    "\n"
  )
}

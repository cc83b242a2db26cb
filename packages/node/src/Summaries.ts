/**
 * What a run did, in words.
 *
 * @since 0.1.0
 */
import type { Summary } from "@ergon/core/Outcome"
import * as Duration from "effect/Duration"

const mostReasons = 5

const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ",")

const plural = (count: number, one: string): string => `${grouped(count)} ${one}${count === 1 ? "" : "s"}`

/**
 * A duration, in words: the two largest units that it has, tenths of a second below a minute, and milliseconds below a
 * second.
 *
 * **Example** (Short and long)
 * ```ts import.meta.vitest
 * import { Summaries } from "@ergon/node"
 *
 * Summaries.duration("4712 millis") // => "4.7 seconds"
 * Summaries.duration("3725 seconds") // => "1 hour 2 minutes"
 * ```
 *
 * @category rendering
 * @since 0.1.0
 */
export const duration = (input: Duration.Input): string => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(input))
  if (Math.round(millis) < 1000) return `${Math.round(millis)} ms`
  const tenths = Math.round(millis / 100) / 10
  if (tenths < 60) return `${tenths} ${tenths === 1 ? "second" : "seconds"}`
  const seconds = Math.round(millis / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const [large, small] = hours > 0
    ? [plural(hours, "hour"), minutes > 0 ? plural(minutes, "minute") : undefined]
    : [plural(minutes, "minute"), seconds % 60 > 0 ? plural(seconds % 60, "second") : undefined]
  return small === undefined ? large : `${large} ${small}`
}

const reasonsOf = ({ reasons }: Summary): string => {
  const all = Object.entries(reasons).sort(([, a], [, b]) => b - a)
  if (all.length === 0) return ""
  const shown = all.slice(0, mostReasons).map(([tag, count]) => `${tag} ${grouped(count)}`)
  const more = all.length - shown.length
  return ` (${[...shown, ...(more > 0 ? [`${more} more ${more === 1 ? "kind" : "kinds"}`] : [])].join(", ")})`
}

/** Each count that is not 0, in the words for it. */
const partsOf = (summary: Summary): ReadonlyArray<string> => {
  const of = (count: number, what: string): ReadonlyArray<string> => count > 0 ? [`${grouped(count)} ${what}`] : []
  const givenUp = [...of(summary.deadLettered, "dead-lettered"), ...of(summary.discarded, "discarded")]
  return [
    summary.fetched === 0 ? "nothing fetched" : `${grouped(summary.fetched)} fetched`,
    ...of(summary.succeeded, "succeeded"),
    ...(givenUp.length === 0 ? [] : [givenUp.join(", ") + reasonsOf(summary)]),
    ...of(summary.requeued, "requeued"),
    ...of(summary.released, "released"),
    ...of(summary.redelivered, "left to be redelivered"),
    ...of(summary.delayed, "delayed at the source"),
    ...(summary.retries === 0 ? [] : [summary.retries === 1 ? "1 retry" : `${grouped(summary.retries)} retries`])
  ]
}

/**
 * What a run did, on one line: its name, every count that is not 0, and how long it took.
 *
 * **Details**
 * The tags of the errors stand behind what was given up, the most frequent first, at most 5 of them. What was released or
 * was left to be redelivered is at its source, and comes again.
 *
 * **Example** (A run with failures)
 * ```ts import.meta.vitest
 * import { Summaries } from "@ergon/node"
 * import { Duration } from "effect"
 *
 * const summary = {
 *   fetched: 3201,
 *   succeeded: 3125,
 *   failed: 76,
 *   requeued: 0,
 *   timeout: 0,
 *   redelivered: 0,
 *   released: 0,
 *   deadLettered: 76,
 *   discarded: 0,
 *   reasons: { GrossUnknown: 76 },
 *   retries: 80,
 *   delayed: 0,
 *   duration: Duration.millis(4712)
 * }
 * Summaries.describe(summary, "orders")
 * // => "orders: 3,201 fetched, 3,125 succeeded, 76 dead-lettered (GrossUnknown 76), 80 retries in 4.7 seconds"
 * ```
 *
 * @category rendering
 * @since 0.1.0
 */
export const describe = (summary: Summary, name: string): string =>
  `${name}: ${partsOf(summary).join(", ")} in ${duration(summary.duration)}`

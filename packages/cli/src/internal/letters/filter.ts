/**
 * The flags that choose dead letters, and what is wrong with them.
 */
import type { Redrive } from "@ergon/core"
import * as Policy from "@ergon/core/Policy"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Flag } from "../effectCli.ts"

const steps = ["fetch", "decode", "process", "dispatch", "success", "exception", "settle"] as const
const categories = ["business", "system", "timeout", "invalid"] as const

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

export const filterFlags = {
  tag: Flag.String("tag").pipe(
    Flag.withMetavar("TAG"),
    Flag.withDescription("Only those of an error with this tag or class (repeatable)"),
    Flag.atLeast(0)
  ),
  step: Flag.Literals("step", steps).pipe(
    Flag.withDescription("Only what failed at this step (repeatable)"),
    Flag.atLeast(0)
  ),
  category: Flag.Literals("category", categories).pipe(
    Flag.withDescription("Only failures of this kind (repeatable)"),
    Flag.atLeast(0)
  ),
  olderThan: text("older-than", "TIME", "Only what failed longer ago, as \"2 hours\"; a bare number is seconds"),
  youngerThan: text("younger-than", "TIME", "Only what failed since then"),
  limit: Flag.Int("limit").pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("At most so many, the oldest first"),
    Flag.optional
  ),
  from: Flag.Literals("from", ["sink", "source"] as const).pipe(
    Flag.withDescription("Only the task's dead-letter connector, or only its source's own; both unless given"),
    Flag.optional
  ),
  task: text("of-task", "NAME", "Given up under another name of the task: after it was renamed")
}

export interface FilterInput {
  readonly tag: ReadonlyArray<string>
  readonly step: ReadonlyArray<(typeof steps)[number]>
  readonly category: ReadonlyArray<(typeof categories)[number]>
  readonly olderThan: Option.Option<string>
  readonly youngerThan: Option.Option<string>
  readonly limit: Option.Option<number>
  readonly from: Option.Option<Redrive.Place>
  readonly task: Option.Option<string>
}

/** Reads a value as the policy reads one, by a field of that kind. */
const readAs = (path: string, text: Option.Option<string>): Effect.Effect<Policy.Input | undefined> =>
  Option.isNone(text) || text.value.trim() === ""
    ? Effect.succeed(undefined)
    : Effect.match(Policy.fromStrings({ [path]: text.value }), {
      onFailure: () => undefined,
      onSuccess: (input) => input
    })

const duration = (name: string, text: Option.Option<string>, problems: Array<string>) =>
  Effect.map(readAs("process.retry.backoff", text), (read) => {
    if (Option.isNone(text)) return undefined
    const backoff = read === undefined ? undefined : Policy.make(read).process.retry.backoff
    if (backoff === undefined)
      problems.push(`--${name} is a time such as "2 hours" or "90 seconds", not "${text.value}"`)
    return backoff
  })

/** The rate of a redrive; what is wrong with it goes to the problems. */
export const readRate = (text: Option.Option<string>, problems: Array<string>) =>
  Effect.map(readAs("loop.rate", text), (read) => {
    if (Option.isNone(text)) return undefined
    const rate = read === undefined ? undefined : Policy.make(read).loop.rate
    if (rate === undefined)
      problems.push(`--rate is a rate such as "10/second" or "100 per minute", not "${text.value}"`)
    return rate
  })

const some = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> | undefined => values.length === 0 ? undefined : values

/** The filter; what is wrong with the flags goes to the problems. */
export const readFilter = (
  input: FilterInput,
  ids: ReadonlyArray<string>,
  problems: Array<string>
): Effect.Effect<Redrive.Filter> =>
  Effect.gen(function*() {
    const limit = Option.getOrUndefined(input.limit)
    if (limit !== undefined && limit < 0) problems.push(`--limit is at least 0, not ${limit}`)
    return {
      tags: some(input.tag),
      steps: some(input.step),
      categories: some(input.category),
      olderThan: yield* duration("older-than", input.olderThan, problems),
      youngerThan: yield* duration("younger-than", input.youngerThan, problems),
      ids: some(ids),
      limit,
      from: Option.getOrUndefined(input.from),
      task: Option.getOrUndefined(input.task)
    }
  })

/** Whether a filter says which letters: where they are says nothing about that. */
export const isNarrow = ({ from: _from, task: _task, ...filter }: Redrive.Filter): boolean =>
  Object.values(filter).some((value) => value !== undefined)

/** How the connectors of a run are, asked within the time of one check. */
import type { Connector, ConnectorError, Run } from "@ergon/core"
import * as Failure from "@ergon/core/Failure"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ConnectorCheck, CountCheck } from "./protocol.ts"

export interface Checks {
  readonly connectors: ReadonlyArray<ConnectorCheck>
  readonly count: CountCheck | undefined
}

type Asked = ConnectorError.FetchError | ConnectorError.DispatchError

const message = (cause: Cause.Cause<unknown>): string => Failure.describe(Cause.squash(cause)).message

const answer = <A>(question: Effect.Effect<A, Asked>, within: Duration.Duration) =>
  question.pipe(
    Effect.map((value) => ({ _tag: "Answered", value }) as const),
    Effect.timeoutOrElse({
      duration: within,
      orElse: () => Effect.succeed({ _tag: "Unanswered", after: Duration.toMillis(within) } as const)
    }),
    Effect.catchCause((cause) => Effect.succeed({ _tag: "Failed", message: message(cause) } as const))
  )

const checkHealth = (
  { id, role }: Run.ConnectorOfRun,
  health: Effect.Effect<void, Asked>,
  within: Duration.Duration
): Effect.Effect<ConnectorCheck> =>
  Effect.map(answer(health, within), (result) => ({
    id,
    role,
    result: result._tag === "Answered" ? { _tag: "Healthy" } : result
  }))

/** It has no number, or may not tell it: that says nothing about how it is. */
const cannotCount = ({ reason }: Asked): boolean => reason._tag === "Unsupported" || reason._tag === "Unauthorized"

const checkCount = (
  count: Effect.Effect<Connector.Count, Asked> | undefined,
  within: Duration.Duration
): Effect.Effect<CountCheck | undefined> =>
  count === undefined
    ? Effect.undefined
    : answer(Effect.catchIf(count, cannotCount, () => Effect.undefined), within).pipe(
      Effect.map((result) => result._tag !== "Answered" ? result : result.value && { _tag: "Counted", ...result.value })
    )

export const check = (
  connectors: ReadonlyArray<Run.ConnectorOfRun>,
  within: Duration.Duration
): Effect.Effect<Checks> =>
  Effect.all({
    connectors: Effect.forEach(
      connectors.flatMap((one) => one.health === undefined ? [] : [checkHealth(one, one.health, within)]),
      (one) => one,
      { concurrency: "unbounded" }
    ),
    count: checkCount(connectors.find(({ role }) => role === "source")?.count, within)
  }, { concurrency: "unbounded" })

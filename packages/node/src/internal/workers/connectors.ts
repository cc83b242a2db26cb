/** The connectors of a run in workers, as its workers report them: each worker has its own, of the same keys. */
import { ConnectorError, Reason } from "@ergon/core"
import type { Run } from "@ergon/core"
import * as Effect from "effect/Effect"
import type { Copy } from "./copy.ts"
import type { ConnectorCheck } from "./protocol.ts"

const problemOf = (copy: Copy, { result }: ConnectorCheck): string | undefined => {
  switch (result._tag) {
    case "Healthy":
      return undefined
    case "Failed":
      return `worker ${copy.id}: ${result.message}`
    case "Unanswered":
      return `worker ${copy.id}: no answer for ${result.after} ms`
  }
}

const failure = (message: string) =>
  Effect.fail(new ConnectorError.FetchError({ reason: new Reason.Unknown({ message }) }))

export const connectorsOf = (copies: ReadonlyArray<Copy>): ReadonlyArray<Run.ConnectorOfRun> => {
  const checks = copies.flatMap((copy) => (copy.beat?.connectors ?? []).map((check) => ({ copy, check })))
  const kinds = new Map(checks.map(({ check }) => [`${check.role} ${check.id}`, check]))
  return Array.from(kinds.values(), ({ id, role }) => ({
    id,
    role,
    health: Effect.suspend(() => {
      const problems = checks.flatMap(({ check, copy }) =>
        check.id === id && check.role === role ? problemOf(copy, check) ?? [] : []
      )
      return problems.length === 0 ? Effect.void : failure(problems.join("; "))
    }),
    count: role === "source" ? countOf(copies) : undefined
  }))
}

/** All ask the same source: what one of them was told last is as good as what another was. */
const countOf = (copies: ReadonlyArray<Copy>): Run.ConnectorOfRun["count"] => {
  const counts = copies.flatMap((copy) => copy.beat?.count ?? [])
  const counted = counts.find((count) => count._tag === "Counted")
  if (counted !== undefined)
    return Effect.succeed({ ready: counted.ready, inFlight: counted.inFlight, delayed: counted.delayed })
  const [failed] = counts
  if (failed === undefined) return undefined
  return failure(failed._tag === "Failed" ? failed.message : "the source has not answered in time")
}

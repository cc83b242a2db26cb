/** What a task is refused for before anything runs: each problem says what is wrong and what would be right. */
import type { SourceService } from "../../Connector.ts"
import type * as Policy from "../../Policy.ts"
import type { Definition } from "../definition.ts"

export const validate = (
  definition: Definition,
  policy: Policy.Policy,
  source: SourceService,
  settles: boolean
): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const { capabilities } = source
  if (
    settles && definition.from._tag === "source" && definition.deadLetter === undefined &&
    (capabilities.deadLetter === "none" || capabilities.settlement !== "each")
  ) {
    problems.push(
      `its source "${definition.from.key.id}" keeps no dead letters: give the task a Task.deadLetter sink, or say with ` +
        "Task.discardFailures that what fails may be dropped"
    )
  }
  if (capabilities.lease?.extend === true && source.extend === undefined) {
    problems.push(`its source declares leases that can be extended, and has no "extend"`)
  }
  const decided = retryNeedsAttempts(definition, policy)
  if (decided !== undefined) problems.push(decided)
  return problems
}

/** A decision to retry is bounded by the policy; with one attempt it can never be carried out. */
export const retryNeedsAttempts = (definition: Definition, policy: Policy.Policy): string | undefined =>
  definition.decidesRetry && policy.process.retry.maxAttempts === 1
    ? "Task.decide says retry, but process.retry.maxAttempts is 1: valid is 2 or more"
    : undefined

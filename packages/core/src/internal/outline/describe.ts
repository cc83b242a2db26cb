/**
 * What a task is, read from its definition and its policy. Nothing is run and nothing is connected.
 */
import * as SchemaAST from "effect/SchemaAST"
import type { Connector, DeadLetters, Ordering, Origins, Outline, Step } from "../../Outline.ts"
import * as Policy from "../../Policy.ts"
import type { Definition } from "../definition.ts"
import { inputOf } from "../engine/run.ts"
import { retryNeedsAttempts } from "../engine/validate.ts"
import { durationText } from "../policy/field.ts"
import { keptOf, type Named } from "../task.ts"
import { decideAnyway, fieldsOf } from "./policyFields.ts"
import { bounds, drain, type StepBounds } from "./worstCase.ts"

const guarantees = {
  consumer:
    "at-least-once; a transaction is acknowledged only after its results are confirmed at every sink. Make processing " +
    "idempotent.",
  producer:
    "at-least-once at every sink for as long as the run lives; how far it has come is kept in memory only, so that the " +
    "next run begins anew. Make ids follow from the input.",
  program: "none of ours: a program has no transactions, and what it does is its own."
}

const connector = (key: { readonly id: string; readonly payload: { readonly ast: SchemaAST.AST } }): Connector => ({
  id: key.id,
  payload: SchemaAST.resolveIdentifier(key.payload.ast)
})

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/** `3 attempts of at most 2 seconds each`. */
const attempts = ({ retry, timeout }: Policy.StepPolicy): string => {
  const most = plural(retry.maxAttempts, "attempt")
  const bound = durationText(timeout)
  if (bound === "none") return most
  return `${most} of at most ${bound}${retry.maxAttempts === 1 ? "" : " each"}`
}

const deadLettersOf = ({ deadLetter, from }: Definition): DeadLetters => {
  if (deadLetter === "discard") return { _tag: "discarded" }
  if (deadLetter !== undefined) return { _tag: "sink", id: deadLetter.id }
  return from._tag === "source" ? { _tag: "source" } : { _tag: "none" }
}

const orderingOf = (definition: Definition, policy: Policy.Policy): Ordering =>
  definition.orderBy !== undefined ? "byTask" : policy.loop.ordering === "byKey" ? "bySource" : "none"

const whereTo = (letters: DeadLetters, source: string): string => {
  switch (letters._tag) {
    case "sink":
      return `dead letter to ${letters.id}`
    case "source":
      return `dead letter at ${source}`
    case "discarded":
      return "dropped"
    case "none":
      return "given up: the run fails and names it"
  }
}

const stepsOf = (
  definition: Definition,
  policy: Policy.Policy,
  letters: DeadLetters,
  bounds: StepBounds
): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  const { decide, from, onFailure, onSuccess, sinks } = definition
  const source = from._tag === "source" ? connector(from.key) : undefined
  if (source !== undefined) {
    steps.push({ name: "decode", runs: source.payload ?? "the schema of the source", worst: undefined })
  }
  const decides = decide === undefined ? "" : ", as its decisions say"
  steps.push({
    name: "process",
    runs: `the program, ${attempts(policy.process)}${decides}`,
    worst: bounds.process
  })
  if (sinks.length > 0) {
    const ids = sinks.map(({ key }) => key.id).join(", ")
    steps.push({ name: "dispatch", runs: `to ${ids}, until confirmed`, worst: bounds.dispatch })
  }
  if (onSuccess !== undefined) {
    steps.push({ name: "success", runs: `onSuccess, ${attempts(policy.success)}`, worst: bounds.success })
  }
  const end = whereTo(letters, source?.id ?? definition.name)
  steps.push({
    name: "exception",
    runs: onFailure === undefined ? end : `onFailure, ${attempts(policy.exception)}; unless it says otherwise, ${end}`,
    worst: bounds.exception
  })
  if (source !== undefined) {
    steps.push({ name: "settle", runs: `at ${source.id}, tried again until it answers`, worst: bounds.settle })
  }
  return steps
}

const ofDefinition = (definition: Definition, origins: Origins): Outline => {
  const input = Policy.merge(definition.policy, origins.environment, origins.flags)
  const { policy, problems } = decideAnyway(inputOf({ ...definition, policy: input }))
  const retry = retryNeedsAttempts(definition, policy)
  const letters = deadLettersOf(definition)
  const { steps, worstCase } = bounds(definition, policy)
  const kind = definition.from._tag === "source" ? "consumer" : "producer"
  return {
    name: definition.name,
    kind,
    guarantee: guarantees[kind],
    source: definition.from._tag === "source" ? connector(definition.from.key) : undefined,
    steps: stepsOf(definition, policy, letters, steps),
    sinks: definition.sinks.map(({ key }) => connector(key)),
    deadLetters: letters,
    ordering: orderingOf(definition, policy),
    decides: definition.decide !== undefined,
    worstCase,
    policy: fieldsOf({ task: definition.name, code: definition.policy, origins }, policy, definition.from._tag),
    problems: retry === undefined ? problems : [...problems, retry]
  }
}

export const describe = (task: Named, origins: Origins): Outline => {
  const what = keptOf(task)
  if (what._tag === "transactions") return ofDefinition(what.definition, origins)
  const { policy, problems } = decideAnyway(Policy.merge(what.policy, origins.environment, origins.flags))
  return {
    name: task.name,
    kind: "program",
    guarantee: guarantees.program,
    source: undefined,
    steps: [],
    sinks: [],
    deadLetters: { _tag: "none" },
    ordering: "none",
    decides: false,
    worstCase: {
      work: undefined,
      transaction: undefined,
      deliveries: undefined,
      drain: drain(policy),
      firstDelivery: undefined
    },
    policy: fieldsOf({ task: task.name, code: what.policy, origins }, policy, "program"),
    problems
  }
}

/**
 * An outline for a person, in 80 columns: the way of a transaction, the guarantee, the worst cases, and the policy.
 */
import type * as Outline from "@ergon/core/Outline"
import * as Duration from "effect/Duration"
import { wrap } from "../help.ts"

const width = 80
const indent = "  "

/** A name, and what is said about it: in a column of its own, over as many lines as it takes. */
const entry = (name: string, column: number, text: string): ReadonlyArray<string> =>
  wrap(text.split(" "), width - column).map((line, index) =>
    `${(index === 0 ? `${indent}${name}` : "").padEnd(column)}${line}`
  )

const section = (title: string, lines: ReadonlyArray<string>): string => [title, ...lines].join("\n")

const named = ({ id, payload }: Outline.Connector): string => payload === undefined ? id : `${id} (${payload})`

const timeOf = ({ time }: Outline.Bound): string => Duration.isFinite(time) ? Duration.format(time) : "no bound"

const why = ({ formula, missing }: Outline.Bound): string =>
  missing.length === 0 ? formula : `${missing.join(" or ")} would be one`

/** `orders -> decode -> process -> dispatch to receipts -> settle`. */
const way = ({ kind, name, sinks, source, steps }: Outline.Outline): ReadonlyArray<string> => {
  if (kind === "program") return [`${indent}a program: it has no transactions`]
  const stops = steps.filter((step) => step.name !== "exception").map((step) =>
    step.name === "dispatch" ? `dispatch to ${sinks.map(({ id }) => id).join(", ")}` : step.name
  )
  const words = [source === undefined ? `the stream of ${name}` : source.id, ...stops]
  const lines = wrap(words.map((word, index) => index === 0 ? word : `-> ${word}`), width - indent.length)
  return lines.map((line) => indent + line)
}

const deadLetters = ({ deadLetters, source }: Outline.Outline): string => {
  switch (deadLetters._tag) {
    case "sink":
      return `to ${deadLetters.id}`
    case "source":
      return `${source?.id ?? "the source"} keeps them; if it cannot, the run is refused when it has connected`
    case "discarded":
      return "none: what fails for good is dropped"
    case "none":
      return "none: what fails for good fails the run, which names it"
  }
}

const orders = {
  none: "none: transactions run side by side, as slots come free",
  bySource: "those of one key of the source run one after another",
  byTask: "those of one key of the task (Task.orderBy) run one after another"
} as const

const steps = (outline: Outline.Outline): ReadonlyArray<string> => [
  ...outline.steps.flatMap(({ name, runs, worst }) => [
    ...entry(name, 16, runs),
    ...(worst === undefined || worst.formula === "nothing to do"
      ? []
      : entry(
        "",
        16,
        Duration.isFinite(worst.time) ? `at most ${timeOf(worst)}: ${worst.formula}` : `no bound: ${why(worst)}`
      ))
  ]),
  ...(outline.sinks.length === 0 ? [] : entry("sinks", 16, outline.sinks.map(named).join(", "))),
  ...entry("dead letters", 16, deadLetters(outline)),
  ...entry("order", 16, orders[outline.ordering]),
  ...(outline.decides ? entry("errors", 16, "decide what becomes of a transaction (Task.decide)") : [])
]

const timeColumn = 24

const worst = (name: string, bound: Outline.Bound | undefined): ReadonlyArray<string> => {
  if (bound === undefined) return []
  const time = timeOf(bound)
  const left = `${indent}${name}`.padEnd(timeColumn) + time.padEnd(14)
  return wrap(why(bound).split(" "), width - left.length).map((line, index) =>
    (index === 0 ? left : "".padEnd(left.length)) + line
  )
}

const worstCases = ({ worstCase }: Outline.Outline): ReadonlyArray<string> => [
  ...worst("work", worstCase.work),
  ...worst("transaction", worstCase.transaction),
  ...worst("its deliveries", worstCase.deliveries),
  ...worst("first delivery", worstCase.firstDelivery),
  ...worst("drain", worstCase.drain)
]

const originOf = ({ default: fallback, origin }: Outline.Field): string => {
  switch (origin._tag) {
    case "code":
      return `code (default ${fallback})`
    case "environment":
    case "flag":
      return `${origin.name} (default ${fallback})`
    case "derived":
      return `from ${origin.from}`
    case "default":
      return "default"
  }
}

/** Where a value comes from stands behind it, or on a line of its own where it does not fit. */
const field = (pathWidth: number) => (one: Outline.Field): ReadonlyArray<string> => {
  const left = `${indent}${one.path.padEnd(pathWidth)}  ${one.value}`
  const origin = originOf(one)
  const line = `${left.padEnd(pathWidth + 16)}  ${origin}`
  return line.length <= width ? [line] : [left, ...wrap(origin.split(" "), width - 6).map((text) => `      ${text}`)]
}

/** Whether somebody has set it. */
export const isSet = ({ origin }: Outline.Field): boolean => origin._tag !== "default" && origin._tag !== "derived"

const policy = ({ policy }: Outline.Outline, all: boolean): ReadonlyArray<string> => {
  const set = policy.filter(isSet)
  const others = policy.filter((field) => !isSet(field))
  const shown = all ? [...set, ...others] : set
  const pathWidth = Math.max(0, ...shown.map(({ path }) => path.length))
  const rest = `${set.length === 0 ? "all" : `the other ${others.length}`} fields have their defaults: --all shows them`
  return [...shown.flatMap(field(pathWidth)), ...(all ? [] : [indent + rest])]
}

/** The plan. `all` shows every field of the policy, and not only those that are set. */
export const planText = (outline: Outline.Outline, all: boolean): string => {
  const parts = [
    section(`${outline.name} (${outline.kind})`, way(outline)),
    outline.kind === "program" ? "" : section("STEPS", steps(outline)),
    section("GUARANTEE", wrap(outline.guarantee.split(" "), width - 2).map((line) => indent + line)),
    section("WORST CASE", worstCases(outline)),
    section("POLICY", policy(outline, all)),
    outline.problems.length === 0 ? "" : section(
      "PROBLEMS",
      outline.problems.flatMap((problem) => entry("-", 4, problem))
    )
  ]
  return parts.filter((part) => part !== "").join("\n\n")
}

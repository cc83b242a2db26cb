/**
 * What happened, in words and as a diagram: of the transaction that broke a rule, and of what happened to all.
 */
import type { Fault } from "../SimulationFault.ts"
import type { Event, Trial } from "../SimulationReport.ts"

const mostEvents = 60

/** The events that matter: those of the transaction, and those of no transaction. */
const eventsOf = ({ events, violation }: Trial): ReadonlyArray<Event> => {
  if (violation === undefined || violation.transaction === "") return events
  return events.filter(({ transaction }) => transaction === "" || transaction === violation.transaction)
}

export const faultText = ({ attempt, delivery, kind, step, transaction, value }: Fault): string => {
  const where = step === "run"
    ? `process ${delivery}`
    : `${step} ${transaction === "" ? "before the first delivery" : transaction}`
  const more = step === "run" ? "" : `, delivery ${delivery + 1}, attempt ${attempt}`
  return `${where}${more}: ${words[kind]}${value === 0 ? "" : ` (${unitOf(kind, step, value)})`}`
}

const words: { readonly [K in Fault["kind"]]: string } = {
  fails: "fails without effect",
  failsInPart: "fails without effect, the rest of the batch works",
  failsAfter: "takes effect, and the answer is lost",
  refused: "is refused",
  hangs: "never answers",
  hangsAfter: "takes effect and never answers",
  dies: "throws",
  late: "is late",
  surplus: "brings more than it was asked for",
  closes: "finds the connection closed by the source",
  doubled: "is handed over twice",
  reordered: "comes after those that came with it",
  undecodable: "arrives broken",
  leaseLost: "is taken back by the source",
  crashes: "the process crashes",
  crashesAfter: "takes effect, and the process crashes",
  interrupted: "is interrupted",
  clockSkew: "has a clock that is off"
}

const unitOf = (kind: Fault["kind"], step: Fault["step"], value: number): string =>
  kind === "late"
    ? `${value} ms`
    : kind === "leaseLost"
    ? `after ${value} ms`
    : kind === "surplus"
    ? `${value} more`
    : step === "run" && kind !== "clockSkew"
    ? `at scheduling point ${value}`
    : String(value)

const timeOf = (at: number): string => `${String(Math.round(at)).padStart(8)} ms`

const lines = (events: ReadonlyArray<Event>): ReadonlyArray<string> => {
  const processes = events.some(({ process }) => process > 1)
  return events.map(({ at, from, process, text, to }) => {
    const who = from !== "" && to !== "" && from !== to ? `${from} → ${to}: ` : ""
    return `${timeOf(at)}  ${processes ? `[${process}] ` : ""}${who}${text}`
  })
}

/** The last ones, and how many came before. */
const lastOf = (events: ReadonlyArray<Event>): ReadonlyArray<string> => {
  const left = events.length - mostEvents
  return left <= 0 ? lines(events) : [`  (${left} events before)`, ...lines(events.slice(left))]
}

export const storyOf = (task: string, trial: Trial, first: Trial = trial): string => {
  const { inOrder, script, seed, transactions, violation } = trial
  const events = eventsOf(trial)
  if (violation === undefined) return [`seed ${seed} of "${task}": every rule held`, ...lastOf(events)].join("\n")
  const about = violation.transaction === "" ? "" : `${violation.transaction}: `
  const shrunk = first === trial
    ? ""
    : `, shrunk from ${first.script.length} faults and ${first.transactions.length} transactions`
  return [
    `seed ${seed} of "${task}" breaks the rule "${violation.rule}"`,
    `  ${about}${violation.text}`,
    "",
    `It takes ${script.length === 0 ? "no fault" : count(script.length, "fault")}, ${
      count(transactions.length, "transaction")
    }${inOrder ? " and no interleaving" : ""}${shrunk}:`,
    ...script.map((fault) => `  ${faultText(fault)}`),
    "",
    violation.transaction === "" ? "What happened:" : `What happened to ${violation.transaction}:`,
    ...lastOf(events),
    "",
    `Again: Simulation.replay(task, ${seed}, { world, ${replayOptions(trial)} })`
  ].join("\n")
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`

/** The options with which a trial is run again. */
export const replayOptions = ({ inOrder, script, transactions }: Trial): string =>
  [
    `only: ${JSON.stringify(transactions)}`,
    ...(inOrder ? ["inOrder: true"] : []),
    `script: ${JSON.stringify(script)}`
  ].join(", ")

const escaped = (text: string): string => text.replaceAll(/[;#:]/g, " ").replaceAll("\n", " ")

const party = (name: string): string => name.replaceAll(/[^\w-]/g, "_")

export const mermaidOf = (trial: Trial): string => {
  const events = eventsOf(trial).slice(-mostEvents)
  const parties = new Set(["source", "task"])
  for (const { from, to } of events) for (const name of [from, to]) if (name !== "") parties.add(name)
  return [
    "sequenceDiagram",
    ...Array.from(parties, (name) => `  participant ${party(name)} as ${name}`),
    ...events.map(({ at, from, text, to }) =>
      from !== "" && to !== "" && from !== to
        ? `  ${party(from)}->>${party(to)}: ${escaped(text)} (${Math.round(at)} ms)`
        : `  Note over ${party(from === "" ? "task" : from)}: ${escaped(text)} (${Math.round(at)} ms)`
    )
  ].join("\n")
}

/**
 * An outline as a Mermaid flowchart: the source, the steps, their retries, the sinks and the dead letters.
 */
import type { Outline, Step } from "../../Outline.ts"

const plain = /[\p{L}\p{N} _.,:/()+-]/u

/** Text inside quotes: whatever could mean something to Mermaid, or to HTML, becomes a numbered entity. */
const escape = (text: string): string =>
  Array.from(text.replace(/\s+/g, " "), (letter) => plain.test(letter) ? letter : `#${letter.codePointAt(0)};`).join("")

const label = (...lines: ReadonlyArray<string | undefined>): string =>
  `"${lines.filter((line) => line !== undefined && line !== "").map((line) => escape(line!)).join("<br/>")}"`

const boxOf = (step: Step): string => `  ${step.name}[${label(step.name, step.runs)}]`

const targets = { process: true, dispatch: true, success: true } as const

const isRetried = (outline: Outline, name: keyof typeof targets): boolean => {
  if (name === "dispatch") return true
  const field = outline.policy.find(({ path }) => path === `${name}.retry.maxAttempts`)
  return field !== undefined && field.value !== "1"
}

export const toMermaid = (outline: Outline): string => {
  const { deadLetters, kind, sinks, source, steps } = outline
  if (kind === "program") {
    return ["flowchart LR", `  program[${label(outline.name, "a program")}]`].join("\n")
  }
  const has = (name: Step["name"]): boolean => steps.some((step) => step.name === name)
  const way = steps.filter(({ name }) => name !== "exception")
  const from = source === undefined ? label(outline.name, "a stream of its own") : label(source.id, source.payload)
  const lines = ["flowchart LR", `  source([${from}])`, ...steps.map(boxOf)]
  sinks.forEach(({ id, payload }, index) => lines.push(`  sink${index}[(${label(id, payload)})]`))
  lines.push(`  source --> ${way.map(({ name }) => name).join(" --> ")}`)
  for (const name of ["process", "dispatch", "success"] as const) {
    if (has(name) && isRetried(outline, name)) lines.push(`  ${name} -. again .-> ${name}`)
  }
  sinks.forEach((_, index) => lines.push(`  dispatch --> sink${index}`))
  for (const { name } of way) if (name !== "settle") lines.push(`  ${name} -. fails .-> exception`)
  switch (deadLetters._tag) {
    case "sink":
      lines.push(`  dead[(${label(deadLetters.id, "dead letters")})]`, "  exception --> dead")
      break
    case "source":
      lines.push(
        `  dead[(${label(source?.id ?? outline.name, "its own dead letters")})]`,
        "  settle -. dead letter .-> dead"
      )
      break
    case "discarded":
      lines.push(`  dropped((${label("dropped")}))`, "  exception --> dropped")
      break
    case "none":
      lines.push(`  failed((${label("the run fails")}))`, "  exception --> failed")
  }
  if (has("settle")) lines.push("  exception --> settle", "  settle -- settled --> source")
  return lines.join("\n")
}

/** The text format of Prometheus. */
import type { Family } from "./names.ts"

export type Labels = Readonly<Record<string, string>>
export type Value = readonly [labels: Labels, value: number]

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\"", "\\\"")

const line = (name: string, [labels, value]: Value): string => {
  const pairs = Object.entries(labels).map(([key, label]) => `${key}="${escaped(label)}"`)
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`
}

/** One family; nothing at all when it has no values. */
export const family = ({ help, kind, name }: Family, values: ReadonlyArray<Value>): ReadonlyArray<string> =>
  values.length === 0 ? [] : [
    `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
    `# TYPE ${name} ${kind}`,
    ...values.map((value) => line(name, value))
  ]

const nameOf = /^# (?:HELP|TYPE) (\S+)/

/** The lines of a text, without the families of these names. */
export const without = (text: string, names: ReadonlySet<string>): ReadonlyArray<string> => {
  let dropped = false
  return text.split("\n").filter((line) => {
    const name = nameOf.exec(line)?.[1]
    if (name !== undefined) dropped = names.has(name)
    return line !== "" && !dropped
  })
}

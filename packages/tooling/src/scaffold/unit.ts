/**
 * A unit of systemd: sections of settings, each of which may be given several times.
 */
export type Unit = ReadonlyMap<string, ReadonlyMap<string, ReadonlyArray<string>>>

/** Throws for a line that is no section, no setting and no comment. */
export const parseUnit = (text: string): Unit => {
  const sections = new Map<string, Map<string, Array<string>>>()
  let section: Map<string, Array<string>> | undefined
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim()
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue
    const header = /^\[([A-Za-z]+)\]$/.exec(line)?.[1]
    if (header !== undefined) {
      section = new Map()
      sections.set(header, section)
      continue
    }
    const [, name, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? []
    if (section === undefined || name === undefined || value === undefined) {
      throw new Error(`line ${index + 1} of the unit: ${line}`)
    }
    section.set(name, [...section.get(name) ?? [], value])
  }
  return sections
}

/** What a setting says; several of them one after another, with blanks in between. */
export const setting = (unit: Unit, section: string, name: string): string | undefined =>
  unit.get(section)?.get(name)?.join(" ")

const units = { ms: 0.001, s: 1, sec: 1, min: 60, m: 60, h: 3600 } as const

/** A span of time in seconds: `50`, `50s`, `1min 30s`. NaN of what is none. */
export const seconds = (text: string | undefined): number => {
  if (text === undefined || !/^(\s*\d+\s*(ms|sec|s|min|m|h)?\s*)+$/.test(text)) return NaN
  return [...text.matchAll(/(\d+)\s*(ms|sec|s|min|m|h)?/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (unit === undefined ? 1 : units[unit as keyof typeof units]),
    0
  )
}

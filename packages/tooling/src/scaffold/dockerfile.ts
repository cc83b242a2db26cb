/**
 * As much of a Dockerfile as the check needs: instructions, stages, and whether a command is in exec form.
 */
export interface Instruction {
  readonly name: string
  readonly text: string
}

export interface Stage {
  readonly image: string
  readonly name: string | undefined
  readonly instructions: ReadonlyArray<Instruction>
}

const known = new Set(
  "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN SHELL STOPSIGNAL USER VOLUME WORKDIR".split(" ")
)

const instructionsOf = (text: string): ReadonlyArray<Instruction> =>
  text.split("\n")
    .filter((line) => !line.trimStart().startsWith("#"))
    .join("\n")
    .replaceAll(/\\[ \t]*\n/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", ...rest] = line.split(/\s+/)
      if (!known.has(name)) throw new Error(`Dockerfile: "${name}" is no instruction`)
      if (rest.length === 0) throw new Error(`Dockerfile: ${name} says nothing`)
      return { name, text: line.slice(name.length).trim() }
    })

/** Throws for what is no instruction, and for one before the first FROM that is no ARG. */
export const parseDockerfile = (text: string): ReadonlyArray<Stage> => {
  const stages: Array<{ image: string; name: string | undefined; instructions: Array<Instruction> }> = []
  for (const instruction of instructionsOf(text)) {
    if (instruction.name === "FROM") {
      const [, image = "", name] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(instruction.text) ?? []
      if (image === "") throw new Error(`Dockerfile: FROM ${instruction.text}`)
      stages.push({ image, name, instructions: [] })
    } else if (stages.length > 0) stages.at(-1)?.instructions.push(instruction)
    else if (instruction.name !== "ARG") throw new Error(`Dockerfile: ${instruction.name} before FROM`)
  }
  if (stages.length === 0) throw new Error("Dockerfile: no FROM")
  return stages
}

/** What the last instruction of this name says, since it overrules the ones before. */
export const lastOf = (stage: Stage, name: string): string | undefined =>
  stage.instructions.findLast((one) => one.name === name)?.text

/** The words of a command in exec form, a JSON array; `undefined` of one that a shell would run. */
export const execForm = (text: string | undefined): ReadonlyArray<string> | undefined => {
  if (text === undefined || !text.startsWith("[")) return undefined
  const words: unknown = JSON.parse(text)
  return Array.isArray(words) && words.every((word) => typeof word === "string") ? words : undefined
}

/** The variables that ENV sets. */
export const environmentOf = (stage: Stage): ReadonlyMap<string, string> =>
  new Map(
    stage.instructions.filter(({ name }) => name === "ENV").flatMap(({ text }) =>
      [...text.matchAll(/([A-Z_]+)=("[^"]*"|\S+)/g)].map(([, name = "", value = ""]) =>
        [name, value.replaceAll("\"", "")] as const
      )
    )
  )

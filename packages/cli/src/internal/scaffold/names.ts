/**
 * Names that a project and its first task may have, and what else they are called: a constant, a variable of the
 * environment, a resource of Kubernetes.
 */
import * as Effect from "effect/Effect"
import { isBuiltin } from "node:module"
import { UsageError } from "../usageError.ts"

const longest = 214
const valid = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9_-])?$/

/** Names of devices: Windows opens them whatever folder they stand in, and whatever follows a dot. */
const device = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/

/** What a project depends on: npm refuses to install a package into one of the same name. */
const dependencies = new Set(["effect", "typescript", "vitest"])

const rule = `a-z, 0-9, "-", "_" and ".", the first a letter or a digit, the last no dot, at most ${longest} of them`

const suggestion = (name: string): string => {
  const better = name.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-").replaceAll(/^[^a-z0-9]+|[-.]+$/g, "").slice(0, 60)
  return better !== name && valid.test(better) ? ` Did you mean "${better}"?` : ""
}

/** What is wrong with it; nothing when it is one that npm takes and every file system can hold. */
const problemOfProject = (name: string): string | undefined => {
  if (name === "") return `a project needs a name: ${rule}`
  if (/[/\\]/.test(name) || name === ".." || /^[a-z]:/i.test(name)) {
    return `${JSON.stringify(name)} is a path: ergon init makes a folder inside of this one, so give its name alone`
  }
  if (!valid.test(name) || name.length > longest) {
    const shown = name.length > 60 ? `${name.slice(0, 60)}...` : name
    return `${JSON.stringify(shown)} is no name for a package: it may have ${rule}.${suggestion(name)}`
  }
  if (device.test(name)) return `"${name}" is the name of a device on Windows: no folder can have it there`
  if (name === "node_modules" || isBuiltin(name)) return `"${name}" belongs to Node: npm takes no package of that name`
  if (dependencies.has(name))
    return `"${name}" is a package that the project depends on: npm would refuse to install it`
  return undefined
}

/** Refuses a name that npm does not take, and one that leads out of the folder. */
export const checkProject = (name: string): Effect.Effect<string, UsageError> => {
  const problem = problemOfProject(name)
  return problem === undefined ? Effect.succeed(name) : Effect.fail(new UsageError({ message: problem }))
}

const kebab = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/
const longestTask = 60

/** A task is a folder, a constant and a prefix of variables: words of letters and digits, with dashes between them. */
export const checkTask = (name: string, taken: string): Effect.Effect<string, UsageError> => {
  if (name === taken) return Effect.fail(new UsageError({ message: `"${name}" is a task of the template already` }))
  return kebab.test(name) && name.length <= longestTask && !device.test(name) ? Effect.succeed(name) : Effect.fail(
    new UsageError({
      message:
        `--task: ${JSON.stringify(name)} is no name for a task: it may have words of a-z and 0-9 with "-" between ` +
        `them, the first a letter, at most ${longestTask} characters, as in "price-orders"`
    })
  )
}

const reserved = new Set(
  ("arguments await break case catch class const continue debugger default delete do else enum eval export extends " +
    "false finally for function if implements import in instanceof interface let new null package private protected " +
    "public return static super switch this throw true try typeof undefined var void while with yield").split(" ")
)

/** The constant of a task: `price-orders` is `priceOrders`, or `priceOrdersTask` where that name has another meaning. */
export const constantOf = (task: string, sources: string): string => {
  const name = task.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  return reserved.has(name) || new RegExp(`\\b${name}\\b`).test(sources) ? `${name}Task` : name
}

/** What the variables of the environment that belong to a task begin with, before the `_` of the field. */
export const variablePrefixOf = (task: string): string => `ERGON_${task.toUpperCase().replaceAll("-", "_")}`

/** As Kubernetes and container registries name things: short, and without dots and underscores. */
export const labelOf = (project: string): string =>
  project.replaceAll(/[^a-z0-9]+/g, "-").slice(0, 40).replaceAll(/^-|-$/g, "") || "project"

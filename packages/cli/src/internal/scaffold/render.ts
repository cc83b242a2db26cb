/**
 * From a template to the files of a project.
 */
import * as Effect from "effect/Effect"
import { constantOf, labelOf, variablePrefixOf } from "./names.ts"
import { filesOf, type Template, type TemplateFile, versions } from "./templates.ts"

export interface Choice {
  readonly project: string
  readonly template: Template
  readonly task: string
}

const word = /__[A-Z]+(?:_[A-Z]+)*__/g

/** Puts what the words stand for in their place. A word that stands for nothing is a mistake of the template. */
export const fill = (text: string, words: ReadonlyMap<string, string>): string =>
  text.replaceAll(word, (one) => {
    const value = words.get(one)
    if (value === undefined) throw new Error(`${one} stands for nothing`)
    return value
  })

const codeOf = (files: ReadonlyArray<TemplateFile>): string =>
  files.filter(({ path }) => path.endsWith(".ts")).map(({ text }) => text).join("\n")

/** The files of the project, in the order of their paths, which are relative to it and have slashes. */
export const render = Effect.fnUntraced(function*({ project, task, template }: Choice) {
  const files = yield* filesOf(template)
  const { effect, ergon } = yield* versions
  const code = codeOf(files)
  const words = new Map([
    ["__PROJECT__", project],
    ["__LABEL__", labelOf(project)],
    ["__TASK__", task],
    ["__TASK_ID__", constantOf(task, code)],
    ["__TASK_ENV__", variablePrefixOf(task)],
    ["__SAMPLES__", template.samples],
    ["__SAMPLES_ID__", constantOf(template.samples, code)],
    ["__ERGON_VERSION__", ergon],
    ["__EFFECT_VERSION__", effect]
  ])
  return files
    .map(({ path, text }): TemplateFile => ({ path: fill(path, words), text: fill(text, words) }))
    .sort((left, right) => left.path < right.path ? -1 : 1)
})

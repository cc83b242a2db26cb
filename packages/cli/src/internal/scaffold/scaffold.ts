/**
 * Makes a project.
 */
import * as Effect from "effect/Effect"
import { checkTask } from "./names.ts"
import { render } from "./render.ts"
import { targetOf } from "./target.ts"
import { type Template, templates } from "./templates.ts"
import { write } from "./write.ts"

export interface Asked {
  readonly name: string
  readonly template: Template["name"]
  readonly task: string | undefined
}

/** Makes the project below `parent`. Fails with a `UsageError` before anything is written, else with a `WriteError`. */
export const scaffold = Effect.fnUntraced(function*(parent: string, asked: Asked) {
  const [first] = templates
  const template = templates.find(({ name }) => name === asked.template) ?? first
  const task = yield* checkTask(asked.task ?? template.task, template.samples)
  const target = yield* targetOf(parent, asked.name)
  const files = yield* render({ project: target.project, template, task })
  yield* write(target, files)
  const { directory, project } = target
  return { project, directory, template: template.name, task, files: files.map(({ path }) => path) }
})

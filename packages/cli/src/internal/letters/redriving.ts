/**
 * A redrive as a person sees it: how many match, a question where there are many, how far it is, what was done.
 */
import * as Redrive from "@ergon/core/Redrive"
import * as Effect from "effect/Effect"
import { createInterface } from "node:readline/promises"
import { notice, print, printJson } from "../output.ts"
import { isLive } from "../progress/progress.ts"
import * as Terminal from "../progress/terminal.ts"
import type { Transactional } from "../project.ts"
import { Unsuccessful } from "../usageError.ts"
import { letters, progressText, summaryText } from "./text.ts"

/** More than these are not redriven on a terminal without being asked about. */
const manyLetters = 100

/** Milliseconds between two lines of progress where nothing can be drawn. */
const every = 5000

/** Waits for an answer. Ctrl-C is a signal like any other; the end of the input is a no. */
const isConfirmed = (question: string): Effect.Effect<boolean> =>
  Effect.promise(async (signal) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
    try {
      const ended = new Promise<string>((resolve) => void lines.once("close", () => resolve("")))
      const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal }).catch(() => ""), ended])
      return /^y(es)?$/i.test(answer.trim())
    } finally {
      lines.close()
    }
  })

const asked = (matched: number, task: string, isSure: boolean): Effect.Effect<void, Unsuccessful> => {
  if (isSure || matched <= manyLetters || !process.stdin.isTTY || !process.stderr.isTTY) return Effect.void
  return Effect.flatMap(
    isConfirmed(`Redrive ${letters(matched)} of "${task}"?`),
    (yes) => yes ? Effect.void : Effect.fail(new Unsuccessful({ message: "nothing was redriven" }))
  )
}

/** Shows how far it is; answers with a way to stop showing. */
const shown = (matched: number): { readonly tell: (progress: Redrive.Summary) => void; readonly close: () => void } => {
  if (isLive(process.stderr.isTTY, process.env)) {
    const terminal = Terminal.make(process.stderr, process.stdout.isTTY ? [process.stdout] : [])
    return { tell: (progress) => terminal.draw([progressText(progress, matched)]), close: terminal.close }
  }
  let last = performance.now()
  return {
    tell: (progress) => {
      if (performance.now() - last < every) return
      last = performance.now()
      process.stderr.write(`${progressText(progress, matched)}\n`)
    },
    close: () => undefined
  }
}

export interface How {
  readonly dryRun: boolean
  readonly json: boolean
  /** Not to be asked. */
  readonly isSure: boolean
}

export const redrive = (
  task: Transactional,
  options: Redrive.Options,
  { dryRun, isSure, json }: How
): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const { matched, missing } = yield* Redrive.redrive(task, { ...options, dryRun: true })
    const verb = matched === 1 ? "matches" : "match"
    yield* notice(`${letters(matched)} of "${task.name}" ${verb}${dryRun ? "; nothing is redriven in a dry run" : ""}`)
    if (!dryRun && matched > 0) yield* asked(matched, task.name, isSure)
    const progress = shown(matched)
    let done: Redrive.Summary | undefined
    const summary = yield* Redrive.redrive(task, {
      ...options,
      dryRun,
      onProgress: (now) =>
        Effect.sync(() => {
          done = now
          if (!dryRun) progress.tell(now)
        })
    }).pipe(
      Effect.ensuring(Effect.sync(progress.close)),
      Effect.onExit((exit) =>
        exit._tag === "Success" || done === undefined
          ? Effect.void
          : notice(`stopped: ${letters(done.redriven)} went back before that; redriving again goes on with the others`)
      )
    )
    if (json) yield* printJson({ ...summary, dryRun })
    else if (!dryRun) yield* print(summaryText(summary, task.name))
    else yield* print(String(summary.matched))
    if (missing.length > 0) {
      return yield* new Unsuccessful({ message: `no dead letter that matches: ${missing.join(", ")}` })
    }
    if (summary.failed > 0)
      return yield* new Unsuccessful({ message: `${letters(summary.failed)} could not be redriven` })
  })

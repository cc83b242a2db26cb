/**
 * The two stages of a command line. First it is read, without signals handled and without anything running: the command
 * that was asked for hands its program over, with what the runner has to know. Then the runner runs that program.
 */
import type { Runs } from "@ergon/node"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Command } from "./effectCli.ts"
import type { Project } from "./project.ts"

/** What the program of a command may ask for. */
export type Services = Project | Runs.Runs | Command.Environment

/** What the runner has to know of a command. */
export interface RunnerOptions {
  readonly http?: { readonly port: number; readonly host?: string } | undefined
  readonly supervision?: boolean
  readonly summary?: boolean
  readonly onSignal?: (signal: { readonly name: "SIGINT" | "SIGTERM" | "SIGHUP"; readonly count: number }) => void
}

export interface Program {
  readonly effect: Effect.Effect<void, unknown, Services>
  readonly options: RunnerOptions
}

export class Invocation extends Context.Service<Invocation, {
  /** Run this once the line has been read. */
  readonly begin: (program: Program) => Effect.Effect<void>
}>()("@ergon/cli/Invocation") {}

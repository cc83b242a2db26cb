/**
 * What the SDK says about itself, on stderr. Its switch belongs to the process: the Layer that was built last has it.
 */
import { diag, type DiagLogger, DiagLogLevel } from "@opentelemetry/api"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { format } from "node:util"
import type { Effective } from "./configuration/effective.ts"

const levels = {
  error: DiagLogLevel.ERROR,
  warn: DiagLogLevel.WARN,
  info: DiagLogLevel.INFO,
  debug: DiagLogLevel.DEBUG,
  verbose: DiagLogLevel.VERBOSE
}

const write = (level: string) => (message: string, ...rest: ReadonlyArray<unknown>): void => {
  process.stderr.write(`opentelemetry ${level}: ${format(message, ...rest)}\n`)
}

const logger: DiagLogger = {
  error: write("error"),
  warn: write("warn"),
  info: write("info"),
  debug: write("debug"),
  verbose: write("verbose")
}

export const diagnostics = (level: Effective["diagnostics"]): Effect.Effect<void, never, Scope.Scope> =>
  level === "none" ? Effect.void : Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => diag.setLogger(logger, { logLevel: levels[level], suppressOverrideMessage: true })),
    () => Effect.sync(() => diag.disable())
  ))

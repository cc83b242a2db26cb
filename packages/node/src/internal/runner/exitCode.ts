/** The exit code that a program ends with when nobody asked for another one. */
import { PolicyError } from "@ergon/core/PolicyError"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"

export const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

const isUnusable = (error: unknown): boolean => error instanceof Config.ConfigError || error instanceof PolicyError

/** `ran`: whether a run had begun. Configuration that does not decode before that is usage. */
export const exitCode = (exit: Exit.Exit<unknown, unknown>, ran: boolean): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.hasInterruptsOnly(exit.cause)) return codes.SIGINT
  const error = Cause.squash(exit.cause)
  const code = Runtime.getErrorExitCode(error)
  return code === 1 && !ran && isUnusable(error) ? 2 : code
}

/** Of a program that is forced out while it closes: a failure counts, whoever else was interrupted because of it. */
export const forcedCode = (exits: ReadonlyArray<Exit.Exit<unknown, unknown>>, ran: boolean): number => {
  const failures = exits.filter(Exit.isFailure)
  const own = failures.find(({ cause }) => !Cause.hasInterruptsOnly(cause))
  return own !== undefined ? exitCode(own, ran) : failures.length === 0 ? 0 : 1
}

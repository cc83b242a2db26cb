/**
 * Short flags for the fields of the policy that people change most, wherever a command takes the flags of the policy.
 */
import * as Option from "effect/Option"
import { Flag } from "../effectCli.ts"
import { flagOf as longFlagOf, type Shortcuts } from "./policyFlags.ts"

const text = (name: string, description: string): Flag.Flag<Option.Option<string>> =>
  Flag.String(name).pipe(Flag.withMetavar("COUNT"), Flag.withDescription(description), Flag.optional)

/** A part of the configuration of a command. */
export const shortcutFlags = {
  once: Flag.Boolean("once").pipe(
    Flag.withoutNegation,
    Flag.withDefault(false),
    Flag.withDescription("End when the source is empty, also where the policy says loop.streaming")
  ),
  limit: text("limit", "End after this many transactions of each task (loop.limit)"),
  concurrency: text("concurrency", "Transactions at the same time (loop.concurrency)")
}

interface Input {
  readonly once: boolean
  readonly limit: Option.Option<string>
  readonly concurrency: Option.Option<string>
}

/** What was given, for `policyFlags.read`. */
export const shortcutsOf = ({ concurrency, limit, once }: Input): Shortcuts => ({
  "loop.limit": { flag: "--limit", text: limit },
  "loop.concurrency": { flag: "--concurrency", text: concurrency },
  "loop.streaming": { flag: "--once", text: once ? Option.some("false") : Option.none() }
})

/** How a field was given as a flag. */
export const flagOf = (shortcuts: Shortcuts) => (path: string): string => {
  const shortcut = shortcuts[path]
  return shortcut !== undefined && Option.isSome(shortcut.text) ? shortcut.flag : `--${longFlagOf(path)}`
}

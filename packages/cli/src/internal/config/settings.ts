/**
 * What the runner is told by flags and variables of its own: workers, and the endpoint.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { didYouMean } from "../nearest.ts"

export interface Settings {
  /** How many workers; `undefined` runs in this process. */
  readonly workers: number | undefined
  readonly workerKind: "process" | "thread"
  readonly http: { readonly port: number; readonly host?: string } | undefined
}

export interface Flags {
  readonly workers: Option.Option<string>
  readonly workerKind: Option.Option<string>
  readonly httpPort: Option.Option<string>
  readonly httpHost: Option.Option<string>
}

const variables = {
  workers: "ERGON_WORKERS",
  workerKind: "ERGON_WORKER_KIND",
  httpPort: "ERGON_HTTP_PORT",
  httpHost: "ERGON_HTTP_HOST"
} as const

const flagNames = {
  workers: "--workers",
  workerKind: "--worker-kind",
  httpPort: "--http-port",
  httpHost: "--http-host"
} as const

/** The variables that belong to no task. */
export const variableNames: ReadonlyArray<string> = Object.values(variables)

interface Text {
  readonly from: string
  readonly text: string
}

const text = (
  flags: Flags,
  name: keyof Flags
): Effect.Effect<Text | undefined, ConfigProvider.SourceError> => {
  const flag = flags[name]
  if (Option.isSome(flag)) return Effect.succeed({ from: flagNames[name], text: flag.value.trim() })
  return Effect.gen(function*() {
    const node = yield* (yield* ConfigProvider.ConfigProvider).load([variables[name]])
    const value = node?.value?.trim() ?? ""
    return value === "" ? undefined : { from: variables[name], text: value }
  })
}

const wrong = ({ from, text }: Text, expected: string): string => `${from} must be ${expected}, got "${text}"`

const integer = (
  given: Text | undefined,
  lowest: number,
  highest: number,
  problems: Array<string>
): number | undefined => {
  if (given === undefined) return undefined
  const value = /^\d+$/.test(given.text) ? Number(given.text) : NaN
  if (value >= lowest && value <= highest) return value
  problems.push(wrong(given, `a whole number from ${lowest} to ${highest}`))
  return undefined
}

const kinds = ["process", "thread"] as const

const kind = (given: Text | undefined, problems: Array<string>): "process" | "thread" => {
  if (given === undefined) return "process"
  const found = kinds.find((kind) => kind === given.text.toLowerCase())
  if (found !== undefined) return found
  problems.push(`${wrong(given, "process or thread")}.${didYouMean(given.text, kinds)}`)
  return "process"
}

/** What they say, with everything that is wrong. */
export const read = (
  flags: Flags
): Effect.Effect<{ readonly settings: Settings; readonly problems: ReadonlyArray<string> }> =>
  Effect.gen(function*() {
    const problems: Array<string> = []
    const workers = integer(yield* text(flags, "workers"), 1, 1024, problems)
    const workerKind = kind(yield* text(flags, "workerKind"), problems)
    const port = integer(yield* text(flags, "httpPort"), 0, 65535, problems)
    const host = yield* text(flags, "httpHost")
    if (Option.isSome(flags.httpHost) && port === undefined && problems.length === 0) {
      problems.push("--http-host needs a port: give --http-port or ERGON_HTTP_PORT")
    }
    if (host !== undefined && host.text === "") problems.push(wrong(host, "the name or address of a host"))
    const http = port === undefined ? undefined : { port, ...(host === undefined ? {} : { host: host.text }) }
    return { settings: { workers, workerKind, http }, problems }
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed({
        settings: { workers: undefined, workerKind: "process" as const, http: undefined },
        problems: [error.message]
      })
    )
  )

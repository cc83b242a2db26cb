import { ConfigProvider, Effect, Option } from "effect"
import { describe, expect, it } from "vitest"
import { provider } from "./provider.ts"
import { type Flags, read } from "./settings.ts"

const settings = (
  flags: { readonly [name in keyof Flags]?: string },
  environment: { readonly [name: string]: string } = {}
) =>
  Effect.provideService(
    read({
      workers: Option.fromUndefinedOr(flags.workers),
      workerKind: Option.fromUndefinedOr(flags.workerKind),
      httpPort: Option.fromUndefinedOr(flags.httpPort),
      httpHost: Option.fromUndefinedOr(flags.httpHost)
    }),
    ConfigProvider.ConfigProvider,
    provider(environment)
  )

describe("the settings of the runner", () => {
  it("are none unless given", () =>
    Effect.runPromise(Effect.gen(function*() {
      expect(yield* settings({})).toEqual({
        settings: { workers: undefined, workerKind: "process", http: undefined },
        problems: []
      })
    })))

  it("come from flags, then from variables", () =>
    Effect.runPromise(Effect.gen(function*() {
      const environment = { ERGON_WORKERS: "2", ERGON_WORKER_KIND: "Thread", ERGON_HTTP_PORT: "8080" }
      expect((yield* settings({}, environment)).settings)
        .toEqual({ workers: 2, workerKind: "thread", http: { port: 8080 } })
      expect((yield* settings({ workers: "4", httpHost: "0.0.0.0" }, environment)).settings)
        .toEqual({ workers: 4, workerKind: "thread", http: { port: 8080, host: "0.0.0.0" } })
    })))

  it("are refused all at once, by the names they were given with", () =>
    Effect.runPromise(Effect.gen(function*() {
      const { problems } = yield* settings({ workers: "0", workerKind: "tread" }, { ERGON_HTTP_PORT: "http" })
      expect(problems).toEqual([
        "--workers must be a whole number from 1 to 1024, got \"0\"",
        "--worker-kind must be process or thread, got \"tread\". Did you mean \"thread\"?",
        "ERGON_HTTP_PORT must be a whole number from 0 to 65535, got \"http\""
      ])
    })))

  it("a host alone serves nothing", () =>
    Effect.runPromise(Effect.gen(function*() {
      expect((yield* settings({ httpHost: "localhost" })).problems)
        .toEqual(["--http-host needs a port: give --http-port or ERGON_HTTP_PORT"])
    })))
})

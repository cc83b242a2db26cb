import { Config, ConfigProvider, Effect, Exit } from "effect"
import { expect, it } from "vitest"
import { explain } from "./configError.ts"
import { provider } from "./provider.ts"

const read = <A>(config: Config.Config<A>, environment: { readonly [name: string]: string }) =>
  Effect.runSyncExit(Effect.provideService(config, ConfigProvider.ConfigProvider, provider(environment)))

it("a name is looked up in constant case", () => {
  expect(read(Config.String("databaseUrl"), { DATABASE_URL: "sqlite:x" })).toEqual(Exit.succeed("sqlite:x"))
  expect(read(Config.Int("maxShards").pipe(Config.nested("pipeline")), { PIPELINE_MAX_SHARDS: "8" }))
    .toEqual(Exit.succeed(8))
})

it("a name is looked up as it is written first", () => {
  expect(read(Config.String("S3BUCKET"), { S3BUCKET: "a" })).toEqual(Exit.succeed("a"))
  expect(read(Config.String("http_proxy"), { http_proxy: "a", HTTP_PROXY: "b" })).toEqual(Exit.succeed("a"))
})

it("what cannot be read is told by the name of its variable, without its value", () => {
  const error = (config: Config.Config<unknown>, environment: { readonly [name: string]: string }) =>
    Effect.runSync(Effect.flip(Effect.provideService(config, ConfigProvider.ConfigProvider, provider(environment))))
  const port = Config.Int("port").pipe(Config.nested("webServer"))
  expect(explain(error(port, {}), {})).toMatch(/^the variable WEB_SERVER_PORT is not set: /)
  const environment = { WEB_SERVER_PORT: "hunter2" }
  const text = explain(error(port, environment), environment)
  expect(text).toMatch(/^the variable WEB_SERVER_PORT is not valid: /)
  expect(text).not.toContain("hunter2")
})

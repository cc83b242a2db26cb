/**
 * The `ConfigProvider` of everything that runs: the user's Layers, the policies, the runner.
 *
 * A name is looked up as it is written first, and then in constant case: `Config.String("databaseUrl")` reads
 * `DATABASE_URL`, and `Config.nested("pipeline")` of `maxShards` reads `PIPELINE_MAX_SHARDS`.
 */
import * as ConfigProvider from "effect/ConfigProvider"

export type Environment = { readonly [name: string]: string | undefined }

export const provider = (environment: Environment): ConfigProvider.ConfigProvider => {
  const exact = ConfigProvider.fromEnvRecord(environment)
  return ConfigProvider.orElse(exact, ConfigProvider.constantCase(exact))
}

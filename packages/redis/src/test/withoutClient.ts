/**
 * Builds the client's Layer in a process where the package `redis` cannot be found, and says what it fails with.
 */
import { Effect, Layer } from "effect"
import { registerHooks } from "node:module"
import { RedisClient } from "../index.ts"

registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier !== "redis") return next(specifier, context)
    throw Object.assign(new Error("Cannot find package 'redis'"), { code: "ERR_MODULE_NOT_FOUND" })
  }
})

const error = await Effect.runPromise(Effect.flip(Effect.scoped(Layer.build(RedisClient.layer()))))
process.stdout.write(`${error._tag}: ${error.message}\n`)

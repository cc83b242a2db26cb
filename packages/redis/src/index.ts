/**
 * Redis Streams connector for Ergon: sources and sinks with consumer groups.
 *
 * @since 0.1.0
 */
export * as Redis from "./Redis.ts"
export * as RedisClient from "./RedisClient.ts"
export * as RedisError from "./RedisError.ts"
export * as SetupError from "./SetupError.ts"

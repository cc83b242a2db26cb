/**
 * Kafka connector for Ergon: sources and sinks with consumer groups.
 *
 * @since 0.1.0
 */
export * as Cluster from "./Cluster.ts"
export * as Kafka from "./Kafka.ts"
export * as SetupError from "./SetupError.ts"

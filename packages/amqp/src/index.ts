/**
 * RabbitMQ connector for Ergon: sources and sinks of queues and exchanges, with publisher confirms.
 *
 * @since 0.1.0
 */
export * as Amqp from "./Amqp.ts"
export * as Broker from "./Broker.ts"
export * as SetupError from "./SetupError.ts"

/**
 * The same three connectors on seven systems. `prefix` keeps what one run makes apart from all else on a server.
 */
import { Amqp, Broker } from "@ergon/amqp"
import { Memory } from "@ergon/core"
import { Cluster, Kafka } from "@ergon/kafka"
import { Redis, RedisClient } from "@ergon/redis"
import { Mysql, Postgres, Sql, Sqlite } from "@ergon/sql"
import { Config, Layer } from "effect"
import { DeadOrders, Orders, Receipts } from "./pricing.ts"

const tables = (prefix: string) =>
  Layer.mergeAll(
    Sql.queue(Orders, { table: `${prefix}_orders` }),
    Sql.queue(Receipts, { table: `${prefix}_receipts` }),
    Sql.deadLetters(DeadOrders, { table: `${prefix}_dead_orders` })
  )

export const topics = (prefix: string) =>
  Layer.mergeAll(
    Kafka.queue(Orders, { topic: `${prefix}.orders`, group: `${prefix}.pricing` }),
    Kafka.queue(Receipts, { topic: `${prefix}.receipts`, group: `${prefix}.printing` }),
    Kafka.deadLetters(DeadOrders, { topic: `${prefix}.dead-orders` })
  )

export const transports = {
  memory: () => Layer.mergeAll(Memory.queue(Orders), Memory.queue(Receipts), Memory.deadLetters(DeadOrders)),

  sqlite: (prefix: string) => Layer.provide(tables(prefix), Sqlite.layer({ filename: ":memory:" })),

  postgres: (prefix: string) => Layer.provide(tables(prefix), Postgres.layerConfig()),

  mariadb: (prefix: string) => Layer.provide(tables(prefix), Mysql.layerConfig()),

  rabbitmq: (prefix: string) =>
    Layer.mergeAll(
      Amqp.queue(Orders, { queue: `${prefix}.orders`, declare: true }),
      Amqp.queue(Receipts, { queue: `${prefix}.receipts`, declare: true }),
      Amqp.deadLetters(DeadOrders, { queue: `${prefix}.dead-orders`, declare: true })
    ).pipe(Layer.provide(Broker.layerConfig({ url: Config.Redacted("AMQP_URL") }))),

  redis: (prefix: string) =>
    Layer.mergeAll(
      Redis.queue(Orders, { stream: `{${prefix}}:orders` }),
      Redis.queue(Receipts, { stream: `{${prefix}}:receipts` }),
      Redis.deadLetters(DeadOrders, { stream: `{${prefix}}:dead-orders` })
    ).pipe(Layer.provide(RedisClient.layerConfig())),

  kafka: (prefix: string) => Layer.provide(topics(prefix), Cluster.layerConfig())
}

export type Transport = keyof typeof transports

type Problem = Layer.Error<ReturnType<(typeof transports)[Transport]>>

/** The connectors on the system with this name. */
export const on = (name: Transport, prefix: string): Layer.Layer<Orders | Receipts | DeadOrders, Problem> =>
  transports[name](prefix)

/**
 * Queues, exchanges and bindings: the schemas of their options, and what they are declared with.
 */
import * as Schema from "effect/Schema"
import { duration, fits, flag, integer, millis, name, route, table } from "./check.ts"
import type * as Duration from "effect/Duration"

export type Arguments = { readonly [name: string]: string | number | boolean }

export interface BindingInput {
  readonly exchange: string
  readonly routingKey?: string | undefined
  readonly arguments?: Arguments | undefined
}

export interface QueueInput {
  readonly name: string
  readonly type?: "quorum" | "classic" | undefined
  readonly bindings?: ReadonlyArray<BindingInput> | undefined
  readonly deliveryLimit?: number | undefined
  readonly maxPriority?: number | undefined
  readonly maxLength?: number | undefined
  readonly messageTtl?: Duration.Input | undefined
  readonly singleActive?: boolean | undefined
  readonly arguments?: Arguments | undefined
}

export interface ExchangeInput {
  readonly name: string
  readonly type?: "direct" | "topic" | "fanout" | "headers" | undefined
  readonly alternate?: string | undefined
  readonly arguments?: Arguments | undefined
}

const Binding = Schema.Struct({
  exchange: name,
  routingKey: Schema.optional(route),
  arguments: Schema.optional(table)
})

export const Queue = Schema.Struct({
  name,
  type: Schema.optional(Schema.Literals(["quorum", "classic"])),
  bindings: Schema.optional(Schema.Array(Binding)),
  deliveryLimit: Schema.optional(integer(1, 2_147_483_647)),
  maxPriority: Schema.optional(integer(1, 255)),
  maxLength: Schema.optional(integer(1, 2_147_483_647)),
  messageTtl: Schema.optional(duration(1)),
  singleActive: Schema.optional(flag),
  arguments: Schema.optional(table)
})

export const Exchange = Schema.Struct({
  name,
  type: Schema.optional(Schema.Literals(["direct", "topic", "fanout", "headers"])),
  alternate: Schema.optional(name),
  arguments: Schema.optional(table)
})

/** Where dead letters go: a queue, or an exchange with a routing key. */
export interface Grave {
  readonly exchange: string
  readonly routingKey: string
  /** The queue, where it is known and can be read. */
  readonly queue: string | undefined
}

/** A queue, as it is declared or checked. */
export interface QueuePlan {
  readonly name: string
  readonly isQuorum: boolean
  readonly isSingleActive: boolean
  readonly arguments: Arguments
  readonly bindings: ReadonlyArray<BindingInput>
}

export interface Topology {
  readonly exchanges: ReadonlyArray<ExchangeInput>
  /** Exchanges that have to be there and are nobody's to declare. */
  readonly required: ReadonlyArray<string>
  readonly queues: ReadonlyArray<QueuePlan>
}

/**
 * High enough that the engine's own `maxDeliveries` comes first: a broker that drops a message at its limit (RabbitMQ 4
 * has one of 20 unless told otherwise) would lose it.
 */
const deliveryLimit = 100_000

const safely: Arguments = { "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish" }

/** What the broker moves by itself: what expires in a queue, or comes to its delivery limit. */
const dying = (isQuorum: boolean, exchange: string, routingKey: string): Arguments => ({
  "x-dead-letter-exchange": exchange,
  "x-dead-letter-routing-key": routingKey,
  ...isQuorum ? safely : {}
})

export const queuePlan = (input: string | QueueInput, grave?: Grave): QueuePlan => {
  const options: QueueInput = typeof input === "string" ? { name: input } : input
  const isQuorum = options.type !== "classic"
  return {
    name: options.name,
    isQuorum,
    isSingleActive: options.singleActive === true,
    bindings: options.bindings ?? [],
    arguments: {
      "x-queue-type": isQuorum ? "quorum" : "classic",
      ...isQuorum ? { "x-delivery-limit": options.deliveryLimit ?? deliveryLimit } : {},
      ...options.maxPriority === undefined ? {} : { "x-max-priority": options.maxPriority },
      ...options.maxLength === undefined ? {} : { "x-max-length": options.maxLength, "x-overflow": "reject-publish" },
      ...options.messageTtl === undefined ? {} : { "x-message-ttl": millis(options.messageTtl) },
      ...options.singleActive === true ? { "x-single-active-consumer": true } : {},
      ...grave === undefined ? {} : dying(isQuorum, grave.exchange, grave.routingKey),
      ...options.arguments
    }
  }
}

/** A queue in which messages wait for so long and then go back to `target`. */
export const delayPlan = (target: QueuePlan, name: string, delay: number): QueuePlan => ({
  name,
  isQuorum: target.isQuorum,
  isSingleActive: false,
  bindings: [],
  arguments: {
    "x-queue-type": target.isQuorum ? "quorum" : "classic",
    "x-message-ttl": delay,
    ...dying(target.isQuorum, "", target.name)
  }
})

/** What is wrong with queues together. */
export const queueProblems = (queues: ReadonlyArray<string | QueueInput>): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const names = queues.map((queue) => typeof queue === "string" ? queue : queue.name)
  for (const [index, one] of names.entries()) {
    if (names.indexOf(one) !== index) problems.push(`queue "${one}" is listed twice`)
  }
  for (const queue of queues) {
    if (typeof queue === "string") continue
    if (queue.maxPriority !== undefined && queue.type !== "classic") {
      problems.push(
        `queue "${queue.name}" has maxPriority ${queue.maxPriority}: a quorum queue has none, give type "classic"`
      )
    }
    if (queue.deliveryLimit !== undefined && queue.type === "classic") {
      problems.push(`queue "${queue.name}" has a deliveryLimit: a classic queue counts no deliveries`)
    }
  }
  return problems
}

/** The name of the queue for a delay: must fit as well. */
export const delayName = (queue: string, label: string): string => `${queue}.delay.${label}`

export const fitsDelays = (queue: string): boolean => fits(delayName(queue, "30d"))

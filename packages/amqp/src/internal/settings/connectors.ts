/**
 * The options of sources, sinks, queues and dead letters: their schemas, and what they come to.
 */
import type { Transaction } from "@ergon/core/Transaction"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SetupError } from "../../SetupError.ts"
import { check, fits, flag, integer, name, route } from "./check.ts"
import {
  Exchange,
  type ExchangeInput,
  fitsDelays,
  type Grave,
  Queue,
  type QueueInput,
  type QueuePlan,
  queuePlan,
  queueProblems,
  type Topology
} from "./topology.ts"

type ToText = (transaction: Transaction<unknown>) => string
type ToPriority = (transaction: Transaction<unknown>) => number | undefined

const isFunction = <F>(u: unknown): u is F => typeof u === "function"
const toText = Schema.declare((u): u is ToText => isFunction<ToText>(u), { expected: "a function of the transaction" })
const toPriority = Schema.declare((u): u is ToPriority => isFunction<ToPriority>(u), {
  expected: "a function of the transaction"
})

const OneQueue = Schema.Union([name, Queue])
const DeadLetter = Schema.Union([name, Schema.Struct({ exchange: name, routingKey: Schema.optional(route) })])

const source = {
  queue: Schema.optional(OneQueue),
  exchanges: Schema.optional(Schema.Array(Exchange)),
  declare: Schema.optional(flag),
  prefetch: Schema.optional(integer(1, 10_000)),
  deadLetter: Schema.optional(DeadLetter),
  requeueDelay: Schema.optional(Schema.Literals(["native", "engine"])),
  missingId: Schema.optional(Schema.Literals(["digest", "reject"]))
}

const Source = Schema.Struct({ ...source, queues: Schema.optional(Schema.Array(OneQueue)) })
const Both = Schema.Struct({ ...source, priority: Schema.optional(toPriority) })
const Sink = Schema.Struct({
  queue: Schema.optional(OneQueue),
  exchange: Schema.optional(name),
  routingKey: Schema.optional(Schema.Union([route, toText])),
  exchanges: Schema.optional(Schema.Array(Exchange)),
  queues: Schema.optional(Schema.Array(OneQueue)),
  declare: Schema.optional(flag),
  priority: Schema.optional(toPriority)
})
const Dead = Schema.Struct({ queue: Schema.optional(OneQueue), declare: Schema.optional(flag) })

export interface SourceInput {
  readonly queue?: string | QueueInput | undefined
  readonly queues?: ReadonlyArray<string | QueueInput> | undefined
  readonly exchanges?: ReadonlyArray<ExchangeInput> | undefined
  readonly declare?: boolean | undefined
  readonly prefetch?: number | undefined
  readonly deadLetter?: string | { readonly exchange: string; readonly routingKey?: string | undefined } | undefined
  readonly requeueDelay?: "native" | "engine" | undefined
  readonly missingId?: "digest" | "reject" | undefined
}

export interface SinkInput {
  readonly queue?: string | QueueInput | undefined
  readonly exchange?: string | undefined
  readonly routingKey?: string | ToText | undefined
  readonly exchanges?: ReadonlyArray<ExchangeInput> | undefined
  readonly queues?: ReadonlyArray<string | QueueInput> | undefined
  readonly declare?: boolean | undefined
  readonly priority?: ToPriority | undefined
}

/** What a source works with. */
export interface SourceSettings {
  readonly id: string
  readonly queues: ReadonlyArray<QueuePlan>
  readonly topology: Topology
  readonly declare: boolean
  readonly prefetch: number | undefined
  readonly grave: Grave | undefined
  /** Whether the broker holds what is requeued for later. */
  readonly delays: boolean
  readonly missingId: "digest" | "reject"
}

/** What a sink works with. */
export interface SinkSettings {
  readonly exchange: string
  readonly routingKey: string | ToText
  readonly priority: ToPriority | undefined
  readonly topology: Topology
  readonly declare: boolean
}

const graveOf = (input: SourceInput["deadLetter"]): Grave | undefined => {
  if (input === undefined) return undefined
  return typeof input === "string"
    ? { exchange: "", routingKey: input, queue: input }
    : { exchange: input.exchange, routingKey: input.routingKey ?? "", queue: undefined }
}

const namesOf = (queues: ReadonlyArray<string | QueueInput>): ReadonlyArray<string> =>
  queues.map((queue) => typeof queue === "string" ? queue : queue.name)

const queuesOf = (id: string, { queue, queues }: SourceInput): ReadonlyArray<string | QueueInput> =>
  queues ?? [queue ?? id]

const sourceProblems = (id: string) => (options: SourceInput): ReadonlyArray<string> => {
  const queues = queuesOf(id, options)
  const problems = [...queueProblems(queues)]
  if (options.queue !== undefined && options.queues !== undefined) problems.push("queue and queues are both given")
  if (queues.length === 0) problems.push("queues is empty: expected at least one queue")
  if (options.prefetch !== undefined && options.prefetch < queues.length) {
    problems.push(`prefetch is ${options.prefetch}: expected at least one for each of ${queues.length} queues`)
  }
  const grave = graveOf(options.deadLetter)?.queue
  if (grave !== undefined && namesOf(queues).includes(grave)) {
    problems.push(`deadLetter is "${grave}": expected another queue than the one consumed from`)
  }
  if (options.requeueDelay === "native" && options.declare !== true) {
    problems.push("requeueDelay is \"native\": its queues are made when they are needed, give declare: true")
  }
  for (const one of namesOf(queues)) {
    if (!fitsDelays(one)) problems.push(`queue "${one}" has too long a name for the queues of its delays`)
  }
  if (queues.some((one) => typeof one === "string" && !fits(one))) problems.push("a queue has too long a name")
  return problems
}

const settingsOf = (id: string, options: SourceInput): SourceSettings => {
  const grave = graveOf(options.deadLetter)
  const queues = queuesOf(id, options).map((queue) => queuePlan(queue, grave))
  return {
    id,
    queues,
    topology: {
      exchanges: options.exchanges ?? [],
      required: grave === undefined || grave.queue !== undefined ? [] : [grave.exchange],
      queues: grave?.queue === undefined ? queues : [...queues, queuePlan(grave.queue)]
    },
    declare: options.declare === true,
    prefetch: options.prefetch,
    grave,
    delays: (options.requeueDelay ?? (options.declare === true ? "native" : "engine")) === "native",
    missingId: options.missingId ?? "digest"
  }
}

export const sourceSettings = (id: string, input: SourceInput): Effect.Effect<SourceSettings, SetupError> =>
  Effect.map(check(id, Source, input, sourceProblems(id)), (options) => settingsOf(id, options))

/** A queue is both sides of one queue, reached by its name. */
export const bothSettings = (
  id: string,
  input: SourceInput & { readonly priority?: ToPriority | undefined }
): Effect.Effect<{ readonly source: SourceSettings; readonly sink: SinkSettings }, SetupError> =>
  Effect.map(check(id, Both, input, sourceProblems(id)), ({ priority, ...options }) => {
    const source = settingsOf(id, options)
    return {
      source,
      sink: {
        exchange: "",
        routingKey: source.queues[0]!.name,
        priority,
        topology: { exchanges: [], required: [], queues: [] },
        declare: false
      }
    }
  })

const sinkProblems = (options: SinkInput): ReadonlyArray<string> => {
  const problems = [...queueProblems([...options.queue === undefined ? [] : [options.queue], ...options.queues ?? []])]
  if (options.queue !== undefined && options.exchange !== undefined) {
    problems.push("queue and exchange are both given: a sink sends to a queue, or to an exchange with a routing key")
  }
  if (options.queue !== undefined && options.routingKey !== undefined) {
    problems.push("routingKey is given with a queue: it is for an exchange")
  }
  return problems
}

export const sinkSettings = (id: string, input: SinkInput): Effect.Effect<SinkSettings, SetupError> =>
  Effect.map(check(id, Sink, input, sinkProblems), (options) => {
    const queue = options.queue ?? (options.exchange === undefined ? id : undefined)
    return {
      exchange: options.exchange ?? "",
      routingKey: queue === undefined ? options.routingKey ?? "" : typeof queue === "string" ? queue : queue.name,
      priority: options.priority,
      topology: {
        exchanges: options.exchanges ?? [],
        required: options.exchange === undefined || options.exchanges?.some(({ name }) => name === options.exchange)
          ? []
          : [options.exchange],
        queues: [...queue === undefined ? [] : [queue], ...options.queues ?? []].map((one) => queuePlan(one))
      },
      declare: options.declare === true
    }
  })

export interface DeadLettersInput {
  readonly queue?: string | QueueInput | undefined
  readonly declare?: boolean | undefined
}

export const deadLettersSettings = (id: string, input: DeadLettersInput): Effect.Effect<SinkSettings, SetupError> =>
  Effect.flatMap(check(id, Dead, input), (options) => sinkSettings(id, options))

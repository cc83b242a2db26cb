/**
 * A whole pipeline from a seed: source, sinks, policy, hooks and what the program does with each transaction. Between
 * them the seeds cover every loop mode, kind of settlement and policy.
 */
import { Context, Duration, Effect, Schema, SchemaGetter } from "effect"
import { Connector, type Policy, Task, Transaction } from "../../../index.ts"
import { definitionOf } from "../../../internal/task.ts"
import { everything, network, none, type Rates } from "../../SimulationFault.ts"
import { Dice } from "../chance.ts"
import { factsOf } from "../facts.ts"
import { type How, type Rule, type Spec } from "../running.ts"
import type { Making, Opened } from "../world.ts"
import * as Programs from "./programs.ts"
import * as Sources from "./sources.ts"

const Payload = Schema.Struct({ n: Schema.Int })

/** The same payload, whose schema takes its time. */
const Waiting = Payload.pipe(
  Schema.decodeTo(Schema.toType(Payload), {
    decode: SchemaGetter.transformEffect((payload: typeof Payload.Type) => Effect.as(Effect.yieldNow, payload)),
    encode: SchemaGetter.transform((payload: typeof Payload.Type) => payload)
  })
)

class Numbers extends Connector.Source<Numbers>()("numbers", Payload) {}
class Slowly extends Connector.Source<Slowly>()("numbers", Waiting) {}
class Doubles extends Connector.Sink<Doubles>()("doubles", Schema.Int) {}
class Totals extends Connector.Sink<Totals>()("totals", Schema.Int) {}
class Dead extends Connector.DeadLetters<Dead>()("dead") {}

const retryOf = (dice: Dice): Policy.RetryInput => ({
  maxAttempts: dice.pick([1, 1, 2, 3, 4]),
  backoff: Duration.millis(dice.pick([0, 0, 5, 50, 400])),
  multiplier: dice.pick([1, 2, 3]),
  cap: dice.hits(0.3) ? Duration.millis(dice.pick([500, 700])) : undefined,
  jitter: dice.hits(0.2) ? "full" : "none"
})

const maybe = <A>(dice: Dice, rate: number, value: () => A): A | undefined => dice.hits(rate) ? value() : undefined

const policyOf = (dice: Dice): Policy.Input => {
  const mode = dice.pick(["continuous", "continuous", "batch"] as const)
  const concurrency = dice.pick([1, 1, 2, 3, 4, 8])
  return {
    loop: {
      mode,
      concurrency,
      streaming: dice.hits(0.3),
      limit: maybe(dice, 0.3, () => dice.pick([0, 1, 2, 3, 5, 8])),
      timeout: maybe(dice, 0.06, () => Duration.millis(dice.pick([50, 1_000, 20_000]))),
      rate: maybe(dice, 0.15, () => ({
        limit: dice.pick([1, 2, 3]),
        interval: Duration.millis(dice.pick([10, 100, 1_000]))
      })),
      ordering: dice.hits(0.25) ? "byKey" : "none"
    },
    fetch: {
      batch: {
        size: maybe(dice, 0.5, () => dice.pick([1, 2, 3, 5, 10])),
        interval: mode === "batch" ? maybe(dice, 0.3, () => "40 millis" as const) : undefined
      },
      prefetch: mode === "batch" ? undefined : maybe(dice, 0.4, () => dice.pick([0, 1, 2, 5])),
      wait: maybe(dice, 0.3, () => Duration.millis(dice.pick([100, 500]))),
      retry: maybe(dice, 0.5, () => ({ maxAttempts: dice.pick([1, 3, 5]) }))
    },
    process: {
      retry: retryOf(dice),
      timeout: maybe(dice, 0.3, () => Duration.millis(dice.pick([10, 30, 300])))
    },
    dispatch: {
      retry: retryOf(dice),
      timeout: maybe(dice, 0.3, () => Duration.millis(dice.pick([50, 2_000])))
    },
    success: { retry: retryOf(dice), timeout: maybe(dice, 0.5, () => "500 millis" as const) },
    exception: { retry: retryOf(dice), timeout: maybe(dice, 0.5, () => Duration.millis(dice.pick([100, 3_000]))) },
    settle: { retry: retryOf(dice), timeout: maybe(dice, 0.5, () => Duration.millis(dice.pick([100, 3_000]))) },
    transaction: {
      timeout: maybe(dice, 0.6, () => Duration.millis(dice.pick([100, 1_000, 5_000]))),
      maxDeliveries: maybe(dice, 0.5, () => dice.pick([1, 2, 3, 5]))
    },
    shutdown: {
      grace: Duration.millis(dice.pick([0, 20, 200, 3_000])),
      close: Duration.millis(dice.pick([100, 1_000, 10_000]))
    }
  }
}

const sinkOf = (key: typeof Doubles | typeof Totals): Making => ({
  transactions: [],
  make: () =>
    Effect.succeed({
      open: Effect.succeed<Opened>({
        source: undefined,
        context: (wrap) => Context.make(key as typeof Doubles, { sink: wrap.sink(taking, key.id) })
      }),
      crash: undefined,
      cut: undefined
    })
})

const taking: Connector.SinkService = { format: "json", dispatch: () => Effect.void }

const lettersOf: Making = {
  transactions: [],
  make: () =>
    Effect.succeed({
      open: Effect.succeed<Opened>({
        source: undefined,
        context: (wrap) => Context.make(Dead, { deadLetters: wrap.letters(taking, Dead.id) })
      }),
      crash: undefined,
      cut: undefined
    })
}

/** Leases get lost, and little else goes wrong. */
const leases: Rates = {
  deliver: { leaseLost: 0.4, doubled: 0.05 },
  extend: { fails: 0.15, hangs: 0.2 },
  dispatch: { late: 0.1, fails: 0.05 },
  run: { interrupted: 0.2 }
}

/** The process is told to stop, again and again. */
const stops: Rates = {
  deliver: { leaseLost: 0.3 },
  fetch: { surplus: 0.4, late: 0.05 },
  dispatch: { late: 0.2, failsInPart: 0.1 },
  settle: { failsInPart: 0.1, late: 0.05 },
  run: { interrupted: 0.9, crashes: 0.1 }
}

/** Settlements fail, and work when they are tried again. */
const settlements: Rates = {
  fetch: { surplus: 0.2 },
  settle: { fails: 0.08, failsInPart: 0.35, failsAfter: 0.06, late: 0.1 },
  run: { crashes: 0.2, interrupted: 0.2 }
}

const ratesOf = (dice: Dice): Rates =>
  dice.pick([everything, everything, everything, leases, leases, stops, stops, settlements, network, none])

export interface Generated {
  readonly spec: Spec
  readonly how: How
  readonly about: string
}

export const generate = (seed: number): Generated => {
  const dice = new Dice(seed, "generate")
  const producer = dice.hits(0.08)
  const kind = dice.pick(Sources.kinds)
  const keyed = dice.hits(0.5)
  const calm = dice.hits(0.15)
  const count = dice.between(1, 9)
  const transactions = Array.from(
    { length: count },
    (_, n) => Transaction.make(`t${n + 1}`, dice.hits(0.04) ? { n: "none" } : { n }, { key: dice.between(1, 3) })
  )
  const policy = policyOf(dice)
  const seen = new Programs.Seen()
  const orderBy = dice.hits(0.15)
  const slowly = dice.hits(0.2)
  const rates = ratesOf(dice)
  // What gives a transaction back while its run is told to stop.
  const hook = rates === stops && dice.hits(0.5)
    ? dice.pick(["requeue", "requeue later", "release"] as const)
    : dice.pick(Programs.hooks)
  const success = dice.pick([0, 0, 0, 1, 2, 3, 4, 5])
  const sinks = dice.pick([0, 1, 1, 1, 2])
  const several = dice.pick([1, 1, 2, 0])
  const letters = producer || !Sources.keepsDeadLetters(kind)
    ? dice.pick(["sink", "sink", "discard"] as const)
    : dice.pick(["sink", "source", "source", "discard"] as const)
  const decides = dice.hits(0.6)
  // What waits for its turn, and nothing else happens.
  const slowed = rates === stops && (kind === "watermark" || dice.hits(0.4))
  let most = Infinity
  const process = (transaction: Transaction.Transaction<{ readonly n: number }>) =>
    Programs.program(
      seen,
      Programs.scriptOf(seed, transaction.payload.n, calm),
      transaction.id,
      transaction.payload.n,
      most
    )
  const from = transactions.map((one) =>
    Transaction.withPayload(one, { n: typeof one.payload.n === "number" ? one.payload.n : 0 })
  )
  const base: Task.Task<{ readonly n: number }, number, Effect.Error<ReturnType<typeof process>>, unknown, unknown> =
    producer
      ? Task.producer("generated", { [Symbol.iterator]: () => from[Symbol.iterator]() }, process)
      : slowly
      ? Task.consumer("generated", Slowly, process)
      : Task.consumer("generated", Numbers, process)
  const outputs = (to: string) => (transaction: Transaction.Transaction<{ readonly n: number }>, result: number) =>
    Array.from({ length: several }, (_, n) => Transaction.make(`${to}-${transaction.id}-${n}`, result))
  let task: Task.Any<unknown, unknown> = base
  const pipe = (change: (task: typeof base) => typeof base) => {
    task = change(task as typeof base)
  }
  if (sinks > 0) pipe(Task.dispatch(Doubles, outputs("double")))
  if (sinks > 1) pipe(Task.dispatch(Totals, outputs("total")))
  if (decides) pipe(Task.decide(Programs.decisions))
  if (hook !== "none") pipe(Task.onFailure((failure) => Programs.hook(hook, seen, failure.transaction.id)))
  if (success > 0) pipe(Task.onSuccess((transaction) => Programs.succeeding(success, seen, transaction.id)))
  if (letters === "sink") pipe(Task.deadLetter(Dead))
  if (letters === "discard") pipe(Task.discardFailures)
  if (orderBy) pipe(Task.orderBy((transaction) => `n-${transaction.payload.n % 2}`))
  const retries = policy.process?.retry?.maxAttempts ?? 1
  task = task.pipe(
    Task.policy(
      retries === 1 && decides
        ? { ...policy, process: { ...policy.process, retry: { ...policy.process?.retry, maxAttempts: 2 } } }
        : policy
    )
  )
  if (slowed) task = task.pipe(Task.policy({ loop: { rate: { limit: 1, interval: "1 second" } } }))
  const definition = definitionOf(task)
  const facts = factsOf(definition)
  most = Math.min(facts.process.timeout, facts.deadline)
  const places: Array<Making> = [sinkOf(Doubles), sinkOf(Totals), lettersOf]
  if (!producer) {
    const key = slowly ? Slowly : Numbers
    places.push({
      transactions,
      make: (chosen) =>
        Effect.gen(function*() {
          const { crash, cut, enqueue, open } = yield* Sources.storage(kind, new Dice(seed, "storage"), keyed)
          yield* enqueue(chosen)
          return {
            open: Effect.map(open, (source): Opened => ({
              source,
              context: (wrap) => Context.make(key as typeof Numbers, { source: wrap.source(source) })
            })),
            crash,
            cut
          }
        })
    })
  }
  const rule: Rule = { name: "programs", check: () => seen.problem }
  return {
    spec: { definition, places, rules: [rule], latency: dice.pick([0, 5, 20, 40]), promises: false },
    how: { faults: { rates }, inOrder: false, only: undefined },
    about: `${producer ? "producer" : kind} ${policy.loop?.mode} x${policy.loop?.concurrency}${
      policy.loop?.streaming === true ? " streaming" : ""
    } ${calm ? "calm" : ""} hook ${hook}, success ${success}, sinks ${sinks}x${several}, letters ${letters}${
      orderBy ? ", orderBy" : ""
    }${policy.loop?.ordering === "byKey" ? ", byKey" : ""}${slowly ? ", slowly" : ""}`
  }
}

import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Connector, ConnectorError, Delivery, Memory, Reason, Task, Transaction } from "./index.ts"
import { Faults } from "./testing/index.ts"

const Job = Schema.Struct({ n: Schema.Int, at: Schema.Date })

class Orders extends Connector.Source<Orders>()("orders", Job) {}
class Receipts extends Connector.Sink<Receipts>()("orders", Job) {}
class Jobs extends Connector.Queue<Jobs>()("orders", Job) {}
class Dead extends Connector.DeadLetters<Dead>()("orders") {}

const job = (n: number) => Transaction.make(`job-${n}`, { n, at: new Date(n) }, { from: "test" })

const forgetful: Connector.Capabilities = {
  settlement: "none",
  lease: undefined,
  deliveries: "engine",
  requeueDelay: "engine",
  deadLetter: "none",
  ordering: "none"
}

const sourceService: Connector.SourceService = {
  format: "json",
  capabilities: forgetful,
  fetch: () => Effect.succeed([]),
  settle: () => Effect.void
}

/** A sink that keeps what reaches it. */
const sinkService = (format: Connector.Format) => {
  const batches: Array<ReadonlyArray<Transaction.Transaction<unknown>>> = []
  const service: Connector.SinkService = {
    format,
    dispatch: (transactions) => Effect.sync(() => void batches.push(transactions))
  }
  return { service, batches }
}

describe("keys", () => {
  it("each kind has its own slot, so that keys of one name do not collide", () => {
    assert.deepStrictEqual(
      [Orders.key, Receipts.key, Jobs.key, Dead.key],
      ["ergon/Source/orders", "ergon/Sink/orders", "ergon/Queue/orders", "ergon/DeadLetters/orders"]
    )
  })

  it("a key knows its kind, its name and the schema of its payload", () => {
    for (const [key, kind] of [[Orders, "source"], [Receipts, "sink"], [Jobs, "queue"]] as const) {
      assert.strictEqual(key.kind, kind)
      assert.strictEqual(key.id, "orders")
      assert.strictEqual(key.payload, Job)
    }
    assert.strictEqual(Dead.kind, "deadLetters")
    assert.strictEqual(Dead.id, "orders")
  })
})

describe("layers", () => {
  it.effect("each wraps the service of its kind", () =>
    Effect.gen(function*() {
      const { service: sink } = sinkService("json")
      const layers = Layer.mergeAll(
        Connector.layerSource(Orders, Effect.succeed(sourceService)),
        Connector.layerSink(Receipts, Effect.succeed(sink)),
        Connector.layerQueue(Jobs, Effect.succeed({ source: sourceService, sink })),
        Connector.layerDeadLetters(Dead, Effect.succeed(sink))
      )
      const program = Effect.all([Orders, Receipts, Jobs, Dead])
      const [orders, receipts, jobs, dead] = yield* Effect.provide(program, layers)
      assert.strictEqual(orders.source, sourceService)
      assert.strictEqual(receipts.sink, sink)
      assert.strictEqual(jobs.source, sourceService)
      assert.strictEqual(jobs.sink, sink)
      assert.strictEqual(dead.deadLetters, sink)
    }))

  it.effect("what a service acquires is released with its Layer; what it fails with, the Layer fails with", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const log = (event: string) => Effect.sync(() => void events.push(event))
      const opened = Effect.as(Effect.acquireRelease(log("open"), () => log("close")), sourceService)
      yield* Effect.provide(Effect.andThen(Orders, log("use")), Connector.layerSource(Orders, opened))
      assert.deepStrictEqual(events, ["open", "use", "close"])
      const failing = Connector.layerSource(Orders, Effect.fail("no host"))
      assert.strictEqual(yield* Effect.flip(Effect.provide(Orders, failing)), "no host")
    }))
})

describe("Connector.send", () => {
  it.effect("encodes by the schema of the key, in the format of the transport", () =>
    Effect.gen(function*() {
      const expected = {
        json: { n: 1, at: "1970-01-01T00:00:00.001Z" },
        strings: { n: "1", at: "1970-01-01T00:00:00.001Z" },
        native: { n: 1, at: new Date(1) }
      }
      for (const format of ["json", "strings", "native"] as const) {
        const { batches, service } = sinkService(format)
        yield* Effect.provide(Connector.send(Receipts, job(1)), Connector.layerSink(Receipts, Effect.succeed(service)))
        assert.deepStrictEqual(batches, [[{ id: "job-1", payload: expected[format], metadata: { from: "test" } }]])
      }
    }))

  it.effect("what is sent to a queue can be fetched from it", () =>
    Effect.gen(function*() {
      yield* Connector.send(Jobs, job(1))
      const { ready } = yield* Memory.contents(Jobs)
      const payload = { n: 1, at: "1970-01-01T00:00:00.001Z" }
      assert.deepStrictEqual(ready, [Transaction.withPayload(job(1), payload)])
    }).pipe(Effect.provide(Memory.queue(Jobs))))

  it.effect("a payload that does not encode is not sent", () =>
    Effect.gen(function*() {
      const { batches, service } = sinkService("json")
      const invalid = Transaction.make("job-1", { n: 0.5, at: new Date(0) })
      const error = yield* Effect.flip(
        Effect.provide(Connector.send(Receipts, invalid), Connector.layerSink(Receipts, Effect.succeed(service)))
      )
      assert.strictEqual(error._tag, "SchemaError")
      assert.deepStrictEqual(batches, [])
    }))

  it.effect("one try: the failure of the sink is its own", () =>
    Effect.gen(function*() {
      const failure = new ConnectorError.DispatchError({ reason: new Reason.ConnectionLost({ message: "cut" }) })
      let tries = 0
      const service: Connector.SinkService = {
        format: "json",
        dispatch: () =>
          Effect.suspend(() => {
            tries++
            return Effect.fail(failure)
          })
      }
      const sent = Effect.provide(
        Connector.send(Receipts, job(1)),
        Connector.layerSink(Receipts, Effect.succeed(service))
      )
      assert.strictEqual(yield* Effect.flip(sent), failure)
      assert.strictEqual(tries, 1)
    }))
})

describe("Connector.count", () => {
  it.effect("is what the source says", () =>
    Effect.gen(function*() {
      const { source } = yield* Jobs
      yield* source.fetch({ max: 1, wait: Duration.zero })
      assert.deepStrictEqual(yield* Connector.count(Jobs), { ready: 2, inFlight: 1, delayed: 0 })
    }).pipe(Effect.provide(Memory.queue(Jobs, [job(1), job(2), job(3)]))))

  it.effect("is Unsupported, by name, where the source cannot", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Effect.provide(Connector.count(Orders), Connector.layerSource(Orders, Effect.succeed(sourceService)))
      )
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.isTrue(error instanceof ConnectorError.FetchError && error.reason instanceof Reason.Unsupported)
      assert.include(String(error), `source "orders" cannot count`)
    }))
})

/** Everything on the prototype, and a state that only its own methods reach. */
class Instance implements Connector.SourceService {
  readonly format = "json"
  readonly #jobs = [job(1), job(2)]
  #extended = 0
  get capabilities() {
    return { ...forgetful, settlement: "each", deadLetter: "native", lease: { duration, extend: true } } as const
  }
  fetch({ max }: Connector.FetchRequest) {
    return Effect.sync(() => this.#jobs.splice(0, max).map(encoded))
  }
  settle() {
    return Effect.sync(() => void this.#jobs.length)
  }
  extend(deliveries: ReadonlyArray<Delivery.Delivery>) {
    return Effect.sync(() => (this.#extended += deliveries.length, []))
  }
  isHeld() {
    return this.#extended >= 0
  }
  resolve(id: string) {
    return Effect.sync(() => encoded(this.#jobs.find((job) => job.id === id)!))
  }
  get count() {
    return Effect.sync(() => ({ ready: this.#jobs.length, inFlight: this.#extended, delayed: 0 }))
  }
}

const duration = Duration.seconds(3)
const encoded = ({ id, payload }: ReturnType<typeof job>) =>
  Delivery.make(Transaction.make(id, { n: payload.n, at: payload.at.toISOString() }))

describe("a source that is an instance of a class", () => {
  const layer = Layer.effect(Orders, Effect.sync(() => ({ source: new Instance() })))
  const slow = Task.consumer("slow", Orders, () => Effect.sleep("10 seconds"))
  const layers: ReadonlyArray<readonly [string, Layer.Layer<Orders>]> = [
    ["as it is", layer],
    ["with faults", layer.pipe(Faults.source(Orders, {}))]
  ]

  for (const [name, layer] of layers) {
    it.effect(`is consumed from, its leases are extended, its transactions are looked up: ${name}`, () =>
      Effect.gen(function*() {
        const one = yield* Effect.forkChild(Task.runById(slow, "job-2"))
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Fiber.join(one))._tag, "succeeded")
        const run = yield* Effect.forkChild(Task.run(slow))
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual((yield* Fiber.join(run)).succeeded, 2)
        const { inFlight, ready } = yield* Connector.count(Orders)
        assert.strictEqual(ready, 0)
        assert.isAbove(inFlight, 10)
      }).pipe(Effect.provide(layer)))
  }
})

/**
 * A whole pipeline with all of its telemetry on: out of a source, decoded, processed with a log line, into a sink,
 * settled; spans, metrics and log lines go to a collector. What went in and what came out is counted.
 */
import { Connector, type Disposition, Memory, Task, Transaction } from "@ergon/core"
import { Ledger } from "@ergon/lab"
import { Observability } from "@ergon/telemetry"
import { Context, Effect, Layer, Logger, Schema } from "effect"
import { encoded, Payload } from "../engine/payload.ts"

class Orders extends Connector.Source<Orders>()("orders", Payload) {}
class Totals extends Connector.Sink<Totals>()("totals", Schema.Number) {}

export interface Told {
  /** Milliseconds from the start of the run to its end, without the last flush of telemetry. */
  readonly took: number
  readonly balance: Ledger.Balance
  readonly acked: number
  /** What is held at the end of the run, above what was before it, in bytes: heap and buffers, without garbage. */
  readonly held: number
  /** What was said at `Warn` during the run, and by the last flush after it. */
  readonly warnings: ReadonlyArray<string>
  readonly atTheEnd: ReadonlyArray<string>
}

// Large enough that a healthy collector keeps up with all that a pipeline at full speed sends it.
const queue = { size: 32_768, batch: 4096, delay: "100 millis" } as const

const memory = (collect: () => void): number => {
  collect()
  const { arrayBuffers, external, heapUsed } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

export interface Options {
  readonly count: number
  /** Of the collector. */
  readonly port: number
  /** Happens once a tenth of the transactions have come out. */
  readonly fault: Effect.Effect<void>
  /** Collects garbage. */
  readonly collect: () => void
}

export const pipeline = ({ collect, count, fault, port }: Options): Effect.Effect<Told, unknown> =>
  Effect.gen(function*() {
    const ledger = Ledger.make()
    const warnings: Array<string> = []
    let acked = 0
    let dispatched = 0
    let struck = false

    const strike = Effect.suspend(() => {
      if (struck || dispatched < count / 10) return Effect.void
      struck = true
      return fault
    })
    const counted = function*() {
      for (const one of encoded(count)) {
        ledger.in(one.id)
        yield one
      }
    }
    const source = Connector.layerSource(
      Orders,
      Effect.map(Layer.build(Memory.sourceFrom(Orders, counted, { end: true })), (built): Connector.SourceService => {
        const { source } = Context.get(built, Orders)
        const acknowledge = (settlements: ReadonlyArray<Disposition.Settlement>) =>
          Effect.sync(() => {
            acked += settlements.filter(({ disposition }) => disposition._tag === "Ack").length
          })
        return {
          ...source,
          settle: (settlements) => Effect.tap(source.settle(settlements), acknowledge(settlements))
        }
      })
    )
    const sink = Connector.layerSink(
      Totals,
      Effect.succeed({
        format: "json",
        dispatch: (transactions) => {
          for (const { id } of transactions) ledger.out(id)
          dispatched += transactions.length
          return strike
        }
      })
    )
    const task = Task.consumer(
      "orders",
      Orders,
      ({ payload: { quantity, unitPrice } }) => Effect.as(Effect.logInfo("counted"), quantity * unitPrice)
    ).pipe(
      Task.dispatch(Totals, ({ id }, total) => Transaction.make(id, total)),
      Task.policy({ loop: { concurrency: 64, streaming: true } }),
      Task.provide(source),
      Task.provide(sink)
    )
    const telemetry = Observability.layer(
      {
        otlp: { endpoint: `http://127.0.0.1:${port}` },
        traces: { queue },
        metrics: { interval: "1 second", timeout: "1 second" },
        logs: { queue }
      },
      { task: "orders" }
    )
    const listening = Logger.layer([
      Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn") warnings.push(String(message))
      })
    ])

    const before = memory(collect)
    const [took, held, during] = yield* Effect.gen(function*() {
      const from = performance.now()
      yield* Task.run(task)
      return [performance.now() - from, memory(collect) - before, warnings.length] as const
    }).pipe(Effect.provide(Layer.provideMerge(telemetry, listening)))
    return {
      took,
      balance: ledger.balance(),
      acked,
      held,
      warnings: warnings.slice(0, during),
      atTheEnd: warnings.slice(during)
    }
  })

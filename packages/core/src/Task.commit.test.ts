import { assert, describe, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, Layer, Logger, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Connector, ConnectorError, Delivery, type Disposition, Reason, Task, Transaction } from "./index.ts"

class Numbers extends Connector.Source<Numbers>()("numbers", Schema.Int) {}
class Results extends Connector.Sink<Results>()("results", Schema.Int) {}

const lost = new Reason.LeaseLost({ message: "gone" })
const invalid = new Reason.InvalidRequest({ message: "refused" })
const connection = new Reason.ConnectionLost({ message: "cut" })

// A queue and a table of one database: what is settled and written in one transaction is there together, or not at all.
class Database {
  readonly queue: Array<number>
  readonly held = new Set<number>()
  readonly acked: Array<number> = []
  readonly dead: Array<number> = []
  readonly table: Array<string> = []
  readonly commits: Array<ReadonlyArray<string>> = []
  readonly settled: Array<string> = []
  // What happens to a write, by the ids that are written and the number of the commit.
  readonly write: (ids: ReadonlyArray<string>, call: number) => Effect.Effect<void, ConnectorError.DispatchError>
  readonly time: Duration.Input

  constructor(count: number, options: Partial<Pick<Database, "write" | "time">> = {}) {
    this.queue = Array.from({ length: count }, (_, n) => n)
    this.write = options.write ?? (() => Effect.void)
    this.time = options.time ?? 0
  }

  private settle({ delivery, disposition }: Disposition.Settlement): boolean {
    const n = delivery.receipt as number
    if (!this.held.delete(n)) return false
    if (disposition._tag === "Ack") this.acked.push(n)
    else if (disposition._tag === "DeadLetter") this.dead.push(n)
    else this.queue.push(n)
    return true
  }

  private refused(indices: ReadonlyArray<number>): Effect.Effect<void, ConnectorError.SettleError> {
    return indices.length === 0 ? Effect.void : Effect.fail(
      new ConnectorError.SettleError({ reason: lost, failed: indices.map((index) => ({ index, reason: lost })) })
    )
  }

  get source(): Connector.SourceService {
    return {
      format: "json",
      capabilities: {
        settlement: "each",
        lease: undefined,
        deliveries: "native",
        requeueDelay: "native",
        deadLetter: "native",
        ordering: "none"
      },
      fetch: ({ max }) =>
        Effect.sync(() =>
          this.queue.splice(0, max).map((n) => {
            this.held.add(n)
            return Delivery.make(Transaction.make(`n-${n}`, n), { receipt: n })
          })
        ),
      settle: (settlements) =>
        Effect.suspend(() => {
          this.settled.push(
            ...settlements.map(({ delivery, disposition }) => `${delivery.transaction.id} ${disposition._tag}`)
          )
          const failed = settlements.flatMap((settlement, index) => this.settle(settlement) ? [] : [index])
          return this.refused(failed)
        }),
      commit: {
        database: this,
        transact: (settlements, write) =>
          Effect.gen({ self: this }, function*() {
            const ids = settlements.map(({ delivery }) => delivery.transaction.id)
            this.commits.push(ids)
            yield* Effect.sleep(this.time)
            const indices = settlements.map((_, index) => index)
            const holds = indices.filter((index) => this.held.has(settlements[index]!.delivery.receipt as number))
            const rows = this.table.length
            yield* Effect.onError(write(holds), () =>
              Effect.sync(() => {
                this.table.length = rows
              }))
            for (const index of holds) this.settle(settlements[index]!)
            yield* this.refused(indices.filter((index) => !holds.includes(index)))
          })
      }
    }
  }

  get sink(): Connector.SinkService {
    return {
      format: "json",
      database: this,
      dispatch: (transactions) =>
        Effect.suspend(() => {
          const ids = transactions.map(({ id }) => id)
          this.table.push(...ids)
          return this.write(ids, this.commits.length)
        })
    }
  }

  get layer() {
    return Layer.mergeAll(
      Connector.layerSource(Numbers, Effect.succeed(this.source)),
      Connector.layerSink(Results, Effect.succeed(this.sink)),
      Logger.layer([])
    )
  }
}

const task = Task.consumer("committing", Numbers, ({ payload }) => Effect.succeed(payload)).pipe(
  Task.dispatch(Results, ({ id }, n) => n === 9 ? [] : Transaction.make(`result-${id}`, n)),
  Task.policy({ loop: { concurrency: 4 } })
)

const outcomes = <A, B, E, R, X>(task: Task.Task<A, B, E, R, X>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Stream.runCollect(Task.outcomes(task)))
    yield* TestClock.adjust("10 minutes")
    return (yield* Fiber.join(fiber)).map(({ _tag, transaction }) => `${transaction.id} ${_tag}`).toSorted()
  })

describe("results and settlements of one database", () => {
  it.effect("are committed together, and settled nowhere else", () => {
    const database = new Database(3)
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* outcomes(task), ["n-0 succeeded", "n-1 succeeded", "n-2 succeeded"])
      assert.deepStrictEqual(database.table, ["result-n-0", "result-n-1", "result-n-2"])
      assert.deepStrictEqual([database.acked, database.settled], [[0, 1, 2], []])
      assert.deepStrictEqual(database.commits, [["n-0", "n-1", "n-2"]])
    }).pipe(Effect.provide(database.layer))
  })

  it.effect("are not written for what is not ours any more", () => {
    const database = new Database(3)
    return Effect.gen(function*() {
      const told = yield* outcomes(
        Task.consumer("losing", Numbers, ({ payload }) =>
          Effect.sync(() => {
            if (payload === 1) database.held.delete(1)
            return payload
          })).pipe(
            Task.dispatch(Results, ({ id }, n) => Transaction.make(`result-${id}`, n)),
            Task.policy({ loop: { concurrency: 4 } })
          )
      )
      assert.deepStrictEqual(told, ["n-0 succeeded", "n-1 redelivered", "n-2 succeeded"])
      assert.deepStrictEqual([database.table, database.acked], [["result-n-0", "result-n-2"], [0, 2]])
    }).pipe(Effect.provide(database.layer))
  })

  it.effect("are tried again together when the write fails for a reason that can pass", () => {
    const database = new Database(2, {
      write: (_, call) => call < 3 ? Effect.fail(new ConnectorError.DispatchError({ reason: connection })) : Effect.void
    })
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* outcomes(task), ["n-0 succeeded", "n-1 succeeded"])
      assert.deepStrictEqual([database.table, database.acked], [["result-n-0", "result-n-1"], [0, 1]])
      assert.strictEqual(database.commits.length, 3)
    }).pipe(Effect.provide(database.layer))
  })

  for (const names of [false, true]) {
    it.effect(`fail alone where one spoils the commit${names ? ", named by the sink" : ""}`, () => {
      const database = new Database(4, {
        write: (ids) => {
          const index = ids.indexOf("result-n-2")
          const failed = names ? [{ index, reason: invalid }] : undefined
          return index < 0 ? Effect.void : Effect.fail(new ConnectorError.DispatchError({ reason: invalid, failed }))
        }
      })
      return Effect.gen(function*() {
        assert.deepStrictEqual(yield* outcomes(task), ["n-0 succeeded", "n-1 succeeded", "n-2 failed", "n-3 succeeded"])
        assert.deepStrictEqual(database.table.toSorted(), ["result-n-0", "result-n-1", "result-n-3"])
        assert.sameMembers(database.acked, [0, 1, 3])
        assert.deepStrictEqual(database.dead, [2])
        assert.deepStrictEqual(database.settled, ["n-2 DeadLetter"])
      }).pipe(Effect.provide(database.layer))
    })
  }

  it.effect("are one commit also where there is no result", () => {
    const database = new Database(10)
    return Effect.gen(function*() {
      assert.isTrue((yield* outcomes(task)).every((told) => told.endsWith("succeeded")))
      assert.strictEqual(database.table.length, 9)
      assert.deepStrictEqual([database.acked.length, database.settled], [10, []])
    }).pipe(Effect.provide(database.layer))
  })

  it.effect("are not cut off by the deadline once they are on their way: that is the settlement", () => {
    const database = new Database(2, { time: "10 seconds" })
    return Effect.gen(function*() {
      const hooks: Array<string> = []
      const told = yield* outcomes(task.pipe(
        Task.policy({ transaction: { timeout: "5 seconds" } }),
        Task.onFailure(() => Effect.sync(() => void hooks.push("exception")))
      ))
      assert.deepStrictEqual([told, hooks], [["n-0 succeeded", "n-1 succeeded"], []])
      assert.deepStrictEqual([database.table.length, database.acked, database.settled], [2, [0, 1], []])
    }).pipe(Effect.provide(database.layer))
  })

  it.effect("that never answer are given up after settle.timeout", () => {
    const database = new Database(1, { time: "1 hour" })
    return Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(
        Stream.runCollect(Task.outcomes(task.pipe(Task.policy({ loop: { limit: 1 } }))))
      )
      yield* TestClock.adjust("90 seconds")
      const [outcome] = yield* Fiber.join(fiber)
      assert.strictEqual(outcome?._tag, "requeued")
      assert.deepStrictEqual([database.table, database.acked], [[], []])
    }).pipe(Effect.provide(database.layer))
  })
})

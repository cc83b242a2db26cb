import { Connector, Disposition, Transaction } from "@ergon/core"
import { Ledger, Port, Redis as Server, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Schedule, Schema } from "effect"
import { Redis, RedisClient } from "./index.ts"
import { dispatchAll, flow, order, Orders } from "./test/flow.ts"

class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Unknown) {}
class Mails extends Connector.Queue<Mails>()("{mail}:out", Schema.Unknown) {}

const node = Effect.gen(function*() {
  const bus = yield* Port.free
  const server = yield* Server.server([
    ...["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", "1000"],
    ...["--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0"]
  ])
  const context = yield* Layer.build(Layer.fresh(RedisClient.layer({ port: server.port })))
  const { send } = Context.get(context, RedisClient.RedisClient)
  return { server, bus, send, id: String(yield* send("CLUSTER", "MYID")) }
})

/** Three nodes, each with a third of the slots. */
const cluster = Effect.gen(function*() {
  const nodes = [yield* node, yield* node, yield* node] as const
  const slots = [["0", "5460"], ["5461", "10922"], ["10923", "16383"]] as const
  for (const [place, { send }] of nodes.entries()) yield* send("CLUSTER", "ADDSLOTSRANGE", ...slots[place]!)
  for (const { bus, server } of nodes.slice(1)) {
    yield* nodes[0].send("CLUSTER", "MEET", "127.0.0.1", String(server.port), String(bus))
  }
  for (const { send } of nodes) {
    yield* Effect.retry(
      Effect.flatMap(
        send("CLUSTER", "INFO"),
        (info) => /cluster_state:ok[^]*cluster_known_nodes:3/.test(String(info)) ? Effect.void : Effect.fail("not yet")
      ),
      { schedule: Schedule.spaced("100 millis"), times: 200 }
    )
  }
  return nodes
})

type Nodes = Effect.Success<typeof cluster>

const client = (nodes: Nodes) =>
  Layer.fresh(RedisClient.layer({
    nodes: nodes.map(({ server }) => `127.0.0.1:${server.port}`),
    commandTimeout: "2 seconds"
  }))

const ownerOf = (nodes: Nodes, key: string) =>
  Effect.gen(function*() {
    const slot = Number(yield* nodes[0].send("CLUSTER", "KEYSLOT", key))
    const place = slot <= 5460 ? 0 : slot <= 10922 ? 1 : 2
    return { slot: String(slot), owner: nodes[place]!, other: nodes[(place + 1) % 3]! }
  })

await Services.describe([Server.needs], "a cluster of three nodes", () => {
  it.live("has queues in several of them, with all that belongs to them", () =>
    Effect.gen(function*() {
      const nodes = yield* cluster
      const layers = Layer.mergeAll(
        Redis.queue(Orders, { poll: "100 millis" }),
        Redis.queue(Jobs, { poll: "100 millis" }),
        Redis.queue(Mails, { poll: "100 millis", unique: "1 minute" })
      ).pipe(Layer.provide(client(nodes)))
      const context = yield* Layer.build(layers)
      const owners = new Set<string>()
      const queues = [
        ["orders", Context.get(context, Orders)],
        ["jobs", Context.get(context, Jobs)],
        ["{mail}:out", Context.get(context, Mails)]
      ] as const
      for (const [name, { sink, source }] of queues) {
        owners.add((yield* ownerOf(nodes, name)).owner.id)
        const settle = (deliveries: Effect.Success<typeof fetched>, disposition: Disposition.Disposition) =>
          source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, disposition)))
        const fetched = Effect.orDie(source.fetch({ max: 4, wait: Duration.seconds(5) }))
        yield* sink.dispatch([1, 2, 3, 4].map((n) => Transaction.make(`t-${n}`, { n, text: "" })))
        const [a, b, c, d] = yield* fetched
        yield* settle([a!], Disposition.ack)
        yield* settle([b!], Disposition.requeue("50 millis"))
        yield* settle([c!], Disposition.deadLetter("no stock"))
        yield* settle([d!], Disposition.release)
        const again = [...yield* fetched]
        while (again.length < 2) again.push(...yield* fetched)
        assert.sameMembers(again.map(({ transaction }) => transaction.id), ["t-2", "t-4"])
        yield* settle(again, Disposition.ack)
        const { letters } = yield* source.letters!.list({ after: undefined, max: 5 })
        assert.deepStrictEqual(yield* source.letters!.putBack!(letters.map(({ key }) => key)), [letters[0]!.key])
        yield* settle(yield* fetched, Disposition.ack)
        assert.deepStrictEqual(yield* source.count!, { ready: 0, inFlight: 0, delayed: 0 })
      }
      assert.isAbove(owners.size, 1)
    }).pipe(Effect.scoped), 60_000)

  it.live("moves the slot of a queue to another node while it is used", () =>
    Effect.gen(function*() {
      const nodes = yield* cluster
      const { other, owner, slot } = yield* ownerOf(nodes, "orders")
      const layer = Redis.queue(Orders, { lease: "3 seconds", poll: "200 millis" }).pipe(Layer.provide(client(nodes)))
      const move = Effect.gen(function*() {
        yield* other.send("CLUSTER", "SETSLOT", slot, "IMPORTING", owner.id)
        yield* owner.send("CLUSTER", "SETSLOT", slot, "MIGRATING", other.id)
        const keys = yield* owner.send("CLUSTER", "GETKEYSINSLOT", slot, "100")
        const names = Array.isArray(keys) ? keys.map(String) : []
        yield* owner.send("MIGRATE", "127.0.0.1", String(other.server.port), "", "0", "5000", "KEYS", ...names)
        for (const { send } of [other, owner]) yield* send("CLUSTER", "SETSLOT", slot, "NODE", other.id)
      })
      const { balance, failures } = yield* flow({
        count: 2000,
        producer: layer,
        consumers: [layer, layer],
        events: [[1000, move]]
      })
      process.stdout.write(`a slot moved: ${balance.text}; ${failures} dispatches failed and were made again\n`)
      assert.deepStrictEqual(balance.lost, [])
      assert.deepStrictEqual(
        yield* ownerOf(nodes, "orders").pipe(Effect.flatMap(() => other.send("XLEN", "orders"))),
        0
      )
    }).pipe(Effect.scoped), 60_000)

  it.live("finds the replica that takes over from a node that dies", () =>
    Effect.gen(function*() {
      const nodes = yield* cluster
      const { owner } = yield* ownerOf(nodes, "orders")
      const replica = yield* node
      const until = (what: Effect.Effect<unknown, unknown>, holds: (answer: string) => boolean) =>
        Effect.retry(
          Effect.flatMap(what, (answer) => holds(String(answer)) ? Effect.void : Effect.fail("not yet")),
          { schedule: Schedule.spaced("100 millis"), times: 300 }
        )
      yield* replica.send("CLUSTER", "MEET", "127.0.0.1", String(owner.server.port), String(owner.bus))
      yield* until(replica.send("CLUSTER", "NODES"), (text) => text.includes(owner.id) && text.split("\n").length > 4)
      yield* replica.send("CLUSTER", "REPLICATE", owner.id)
      yield* until(replica.send("INFO", "replication"), (text) => text.includes("master_link_status:up"))
      yield* until(owner.send("CLUSTER", "NODES"), (text) => text.includes(`slave ${owner.id}`))
      const layer = Redis.queue(Orders, { lease: "3 seconds", poll: "200 millis" }).pipe(Layer.provide(client(nodes)))
      const { sink, source } = Context.get(yield* Layer.build(layer), Orders)
      const ledger = Ledger.make()
      const pass = (from: number) =>
        Effect.gen(function*() {
          const transactions = Array.from({ length: 200 }, (_, n) => order(from + n))
          const failures = yield* dispatchAll(sink, transactions)
          for (const { id } of transactions) ledger.in(id)
          while (ledger.balance().lost.length > 0) {
            const deliveries = yield* Effect.retry(source.fetch({ max: 50, wait: Duration.seconds(1) }), {
              schedule: Schedule.spaced("100 millis"),
              times: 200
            })
            for (const { transaction } of deliveries) ledger.out(transaction.id)
            yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
          }
          return failures
        })
      yield* pass(0)
      // What was confirmed has reached the replica before its master dies: by itself Redis does not wait for that.
      yield* until(owner.send("WAIT", "1", "1000"), (count) => count === "1")
      yield* owner.server.kill
      const failures = yield* pass(200)
      const balance = ledger.balance()
      process.stdout.write(`a node died: ${balance.text}; ${failures} dispatches failed and were made again\n`)
      assert.isAbove(failures, 0)
      assert.deepStrictEqual(yield* source.count!, { ready: 0, inFlight: 0, delayed: 0 })
      yield* until(replica.send("ROLE"), (text) => text.startsWith("master"))
    }).pipe(Effect.scoped), 60_000)
})

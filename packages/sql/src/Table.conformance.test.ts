import { Connector } from "@ergon/core"
import { Conformance, type Harness } from "@ergon/core/testing"
import { Services } from "@ergon/lab"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { capabilities } from "./internal/table/source.ts"
import { connect, type Place, places } from "./test/places.ts"
import { Table } from "./index.ts"

class Items extends Connector.Source<Items>()("items", Schema.Unknown) {}

const turns = "one reader of a cursor reads at a time"
const payloadAlone = "a row is the payload; metadata names the table"

const harness = (place: Place): Harness.Source => ({
  name: `Table.source on ${place.name}`,
  time: "live",
  quiet: "50 millis",
  capabilities,
  operations: ["count", "isHeld"],
  can: [],
  without: {
    "two connectors share no delivery": turns,
    "metadata survives the round trip": payloadAlone,
    "the trace context survives the round trip": payloadAlone
  },
  storage: Effect.gen(function*() {
    const layer = yield* place.make
    const { sql } = yield* Effect.orDie(connect(layer))
    yield* Effect.orDie(sql.unsafe(
      `CREATE TABLE items (seq ${place.identity}, id VARCHAR(200) NOT NULL, payload TEXT NOT NULL)`
    ))
    const source = Table.source(Items, {
      orderBy: ["seq"],
      id: "id",
      poll: "10 millis",
      lease: "1 second",
      ...(place.name === "MariaDB" ? { settling: "10 millis" } : {})
    })
    return {
      open: Effect.map(
        Layer.build(Layer.fresh(source.pipe(Layer.provide(Layer.fresh(layer))))),
        (context) => Context.get(context, Items).source
      ),
      enqueue: (transactions) =>
        sql.withTransaction(Effect.forEach(
          transactions,
          ({ id, payload }) => sql`INSERT INTO items (id, payload) VALUES (${id}, ${JSON.stringify(payload)})`,
          { discard: true }
        ))
    }
  })
})

for (const place of places) {
  await Services.describe(place.needs, `a table of ${place.name} as a source`, () => {
    describe("by the laws", () => {
      const laws = Conformance.source(harness(place))
      it.live.each(Conformance.applying(laws))("$name", ({ check }) => check)
      it("is excused from what it has not", () => {
        process.stdout.write(`${Conformance.formatExcused(place.name, laws)}\n`)
        assert.strictEqual(Conformance.excused(laws)["two connectors share no delivery"], turns)
      })
    })
  })
}

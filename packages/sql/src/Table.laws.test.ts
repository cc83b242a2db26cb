import { Connector, Disposition } from "@ergon/core"
import { Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { connect, type Place, places } from "./test/places.ts"
import { Table } from "./index.ts"

class Rows extends Connector.Source<Rows>()("entries", Schema.Struct({ id: Schema.Int, n: Schema.Int })) {}

const small = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** What four writers do, each in one transaction at a time, and what happens to the reader meanwhile. */
const Step = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("Insert"), writer: small(0, 3), rows: small(1, 4) }),
  Schema.Struct({ _tag: Schema.Literal("Commit"), writer: small(0, 3) }),
  Schema.Struct({ _tag: Schema.Literal("Rollback"), writer: small(0, 3) }),
  Schema.Struct({ _tag: Schema.Literal("Alone"), rows: small(1, 4) }),
  Schema.Struct({ _tag: Schema.Literal("Reopen") }),
  Schema.Struct({ _tag: Schema.Literal("Pass"), millis: small(1, 20) })
])
const Script = Schema.Struct({
  max: small(1, 7),
  steps: Schema.Array(Step).check(Schema.isMinLength(5), Schema.isMaxLength(40))
})

interface Reader {
  readonly scope: Scope.Closeable
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

const check = (place: Place, options: Table.SourceOptions, { max, steps }: typeof Script.Type) =>
  Effect.gen(function*() {
    const layer = yield* place.make
    const { sql } = yield* connect(layer)
    yield* sql.unsafe(`CREATE TABLE entries (id ${place.identity}, n BIGINT NOT NULL, at ${place.time})`)
    const insert = (from: number, rows: number) =>
      `INSERT INTO entries (n) VALUES ${Array.from({ length: rows }, (_, index) => `(${from + index})`).join(", ")}`

    // Connections that stay with their writers; the one of SQLite is another one of the file.
    const writers = yield* Effect.forEach([0, 1, 2, 3], () =>
      Effect.map(
        Effect.flatMap(connect(layer), ({ sql }) => sql.reserve),
        (connection) => ({ connection, uncommitted: [] as Array<number> })
      ))
    const committed: Array<number> = []
    const delivered: Array<number> = []
    const settled: Array<number> = []
    let n = 0
    const isOpen = (writer: (typeof writers)[number]) => writer.uncommitted.length > 0
    const end = (writer: (typeof writers)[number], how: "COMMIT" | "ROLLBACK") =>
      Effect.gen(function*() {
        if (!isOpen(writer)) return
        yield* writer.connection.executeUnprepared(how, [], undefined)
        if (how === "COMMIT") committed.push(...writer.uncommitted)
        writer.uncommitted = []
      })

    const read = (source: Connector.SourceService) =>
      Effect.forever(Effect.gen(function*() {
        const deliveries = yield* source.fetch({ max, wait: Duration.millis(200) })
        for (const { transaction: { payload } } of deliveries) {
          const { n } = Schema.decodeUnknownSync(Rows.payload)(payload)
          delivered.push(n)
        }
        const last = deliveries.at(-1)
        if (last === undefined) return
        yield* Effect.uninterruptible(Effect.andThen(
          source.settle([Disposition.settlement(last, Disposition.ack)]),
          Effect.sync(() => {
            for (const { transaction: { payload } } of deliveries) {
              settled.push(Schema.decodeUnknownSync(Rows.payload)(payload).n)
            }
          })
        ))
      }))
    const open = Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Scope.provide(
        Layer.build(Table.source(Rows, { poll: "5 millis", ...options }).pipe(Layer.provide(Layer.fresh(layer)))),
        scope
      )
      const { source } = Context.get(context, Rows)
      return { scope, fiber: yield* Effect.forkScoped(read(source)) }
    })
    const close = ({ fiber, scope }: Reader) => Effect.andThen(Fiber.interrupt(fiber), Scope.close(scope, Exit.void))
    let reader: Reader = yield* open

    for (const step of steps) {
      switch (step._tag) {
        case "Insert": {
          const writer = writers[step.writer]!
          // One writes at a time in SQLite.
          if (place.name === "SQLite" && writers.some((other) => other !== writer && isOpen(other))) break
          if (!isOpen(writer)) yield* writer.connection.executeUnprepared(place.begin, [], undefined)
          yield* writer.connection.executeUnprepared(insert(n, step.rows), [], undefined)
          for (let row = 0; row < step.rows; row++) writer.uncommitted.push(n++)
          break
        }
        case "Commit":
          yield* end(writers[step.writer]!, "COMMIT")
          break
        case "Rollback":
          yield* end(writers[step.writer]!, "ROLLBACK")
          break
        case "Alone":
          if (place.name === "SQLite" && writers.some(isOpen)) break
          yield* sql.unsafe(insert(n, step.rows))
          for (let row = 0; row < step.rows; row++) committed.push(n++)
          break
        case "Reopen":
          // What a reader in SQLite has to write waits for who writes.
          if (place.name === "SQLite") yield* Effect.forEach(writers, (writer) => end(writer, "COMMIT"))
          yield* close(reader)
          reader = yield* open
          break
        case "Pass":
          // Longer than what settles there.
          yield* Effect.sleep(Duration.millis(place.name === "MariaDB" ? 10 * step.millis : step.millis))
      }
    }
    yield* Effect.forEach(writers, (writer) => end(writer, "COMMIT"))
    yield* Effect.raceFirst(
      Fiber.join(reader.fiber),
      Effect.repeat(Effect.sleep("2 millis"), { until: () => settled.length >= committed.length })
    ).pipe(Effect.timeoutOption("5 seconds"))
    yield* Effect.sleep("20 millis")
    yield* close(reader)
    const rising = (a: number, b: number) => a - b
    assert.deepStrictEqual(settled.toSorted(rising), committed.toSorted(rising), "each committed row is settled once")
    // A reader that was closed between a fetch and its settlement hands over again what it had not settled.
    assert.deepStrictEqual(new Set(delivered), new Set(committed))
  }).pipe(Effect.scoped)

for (const place of places) {
  const runs = { SQLite: 60, PostgreSQL: 25, MariaDB: 15 }[place.name]
  await Services.describe(place.needs, `a table of ${place.name}, under any script of writers`, () => {
    it.live.prop(
      "hands over every committed row, and settles it once",
      [Script],
      ([script]) => check(place, place.name === "MariaDB" ? { settling: "100 millis" } : {}, script),
      {
        arbitrary: { runs, size: 40 },
        timeout: 180_000
      }
    )
  })
}

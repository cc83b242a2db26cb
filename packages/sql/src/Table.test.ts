import { Connector, Disposition, Task } from "@ergon/core"
import { Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Schema, Scope } from "effect"
import { connect, places } from "./test/places.ts"
import { Database, Sqlite, Table } from "./index.ts"

const Entry = Schema.Struct({ n: Schema.Int })
class Entries extends Connector.Source<Entries>()("entries", Entry) {}

const zero = Duration.zero
const ns = (deliveries: ReadonlyArray<{ readonly transaction: { readonly payload: unknown } }>) =>
  deliveries.map(({ transaction: { payload } }) => Schema.decodeUnknownSync(Entry)(payload).n)

for (const place of places) {
  await Services.describe(place.needs, `a table of ${place.name} as a source`, () => {
    const settling = place.name === "MariaDB" ? { settling: "20 millis" } as const : {}
    const open = <Self, Id extends string, S extends Schema.Constraint>(
      layer: Layer.Layer<Database.Database, unknown>,
      key: Connector.SourceClass<Self, Id, S>,
      options: Table.SourceOptions = {}
    ) =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
        const context = yield* Scope.provide(
          Layer.build(
            Table.source(key, { poll: "10 millis", ...settling, ...options }).pipe(Layer.provide(Layer.fresh(layer)))
          ),
          scope
        )
        return { ...Context.get(context, key), close: Scope.close(scope, Exit.void) }
      })
    const table = Effect.gen(function*() {
      const layer = yield* place.make
      const { sql } = yield* connect(layer)
      yield* sql.unsafe(`CREATE TABLE entries (id ${place.identity}, n BIGINT NOT NULL, at ${place.time})`)
      const insert = (...ns: ReadonlyArray<number>) =>
        sql.unsafe(`INSERT INTO entries (n) VALUES ${ns.map((n) => `(${n})`).join(", ")}`)
      return { layer, sql, insert }
    })

    it.live("waits for a transaction that has taken a lower id, and not for one that is rolled back", () =>
      Effect.gen(function*() {
        const { insert, layer } = yield* table
        const { source } = yield* open(layer, Entries)
        if (place.name === "SQLite") return
        const writer = yield* Effect.flatMap(connect(layer), ({ sql }) => sql.reserve)
        const run = (text: string) => writer.executeUnprepared(text, [], undefined)
        for (const how of ["COMMIT", "ROLLBACK"]) {
          yield* run(place.begin)
          yield* run("INSERT INTO entries (n) VALUES (1)")
          yield* insert(2)
          // Much longer than what settles: the late one is not missed by luck.
          assert.deepStrictEqual(ns(yield* source.fetch({ max: 10, wait: Duration.millis(400) })), [])
          yield* run(how)
          const deliveries = yield* source.fetch({ max: 10, wait: Duration.seconds(5) })
          assert.deepStrictEqual(ns(deliveries), how === "COMMIT" ? [1, 2] : [2])
          yield* source.settle([Disposition.settlement(deliveries.at(-1)!, Disposition.ack)])
        }
      }).pipe(Effect.scoped))

    it.live("goes on from where it was, and hands over again what was not settled", () =>
      Effect.gen(function*() {
        const { insert, layer } = yield* table
        yield* insert(1, 2, 3, 4, 5)
        const first = yield* open(layer, Entries)
        const deliveries = yield* first.source.fetch({ max: 3, wait: zero })
        assert.deepStrictEqual(deliveries.map(({ transaction: { id } }) => id), ["1", "2", "3"])
        yield* first.source.settle([Disposition.settlement(deliveries[1]!, Disposition.ack)])
        // Again, and for one before it: it moves on only.
        yield* first.source.settle([Disposition.settlement(deliveries[0]!, Disposition.ack)])
        assert.deepStrictEqual(yield* first.source.count!, { ready: 2, inFlight: 1, delayed: 0 })
        yield* first.close
        const lost = yield* Effect.flip(
          first.source.settle([Disposition.settlement(deliveries[2]!, Disposition.ack)])
        )
        assert.strictEqual(lost.reason._tag, "LeaseLost")
        const second = yield* open(layer, Entries)
        assert.deepStrictEqual(ns(yield* second.source.fetch({ max: 9, wait: zero })), [3, 4, 5])
      }).pipe(Effect.scoped))

    it.live("is read by one at a time: another one stands by, and goes on when the first one closes or dies", () =>
      Effect.gen(function*() {
        const { insert, layer } = yield* table
        yield* insert(1, 2, 3)
        const first = yield* open(layer, Entries, { lease: "400 millis" })
        const second = yield* open(layer, Entries, { lease: "400 millis" })
        const other = yield* open(layer, Entries, { cursor: "another" })
        const [one] = yield* first.source.fetch({ max: 1, wait: zero })
        yield* first.source.settle([Disposition.settlement(one!, Disposition.ack)])
        // For longer than the lease: who reads keeps it.
        assert.deepStrictEqual(yield* second.source.fetch({ max: 9, wait: Duration.millis(700) }), [])
        assert.deepStrictEqual(ns(yield* other.source.fetch({ max: 9, wait: zero })), [1, 2, 3])
        yield* first.close
        const held = yield* second.source.fetch({ max: 1, wait: Duration.seconds(2) })
        assert.deepStrictEqual(ns(held), [2])
        // One that is cut off from its database without a word: it loses what it holds, and the next one goes on.
        const { sql } = yield* connect(layer)
        yield* sql`UPDATE ergon_cursors SET owner = 'gone', until = ${Date.now() + 500} WHERE name = 'entries'`
        const third = yield* open(layer, Entries)
        const [again] = yield* third.source.fetch({ max: 1, wait: Duration.seconds(2) })
        assert.strictEqual(Schema.decodeUnknownSync(Entry)(again!.transaction.payload).n, 2)
        assert.isFalse(second.source.isHeld!(held[0]!))
      }).pipe(Effect.scoped))

    it.live("orders by a time and an id: rows that change come again, those of one time all come", () =>
      Effect.gen(function*() {
        const { insert, layer, sql } = yield* table
        const times = { orderBy: ["at", "id"], settling: "60 millis" } as const
        yield* sql.unsafe(`CREATE UNIQUE INDEX entries_at ON entries (at, id)`)
        const { source } = yield* open(layer, Entries, times)
        const all = (count: number) =>
          Effect.gen(function*() {
            const found: Array<number> = []
            while (found.length < count) {
              const deliveries = yield* source.fetch({ max: 2, wait: Duration.seconds(3) })
              if (deliveries.length === 0) break
              found.push(...ns(deliveries))
              yield* source.settle([Disposition.settlement(deliveries.at(-1)!, Disposition.ack)])
            }
            return found
          })
        yield* insert(1, 2, 3, 4, 5)
        assert.deepStrictEqual(yield* all(5), [1, 2, 3, 4, 5])
        const now = place.name === "SQLite"
          ? "strftime('%Y-%m-%d %H:%M:%f')"
          : place.name === "PostgreSQL"
          ? "clock_timestamp()"
          : "CURRENT_TIMESTAMP(6)"
        yield* sql.unsafe(`UPDATE entries SET n = n + 10, at = ${now} WHERE n IN (2, 4)`)
        assert.deepStrictEqual((yield* all(2)).toSorted((a, b) => a - b), [12, 14])
        assert.deepStrictEqual(yield* source.fetch({ max: 9, wait: Duration.millis(100) }), [])
      }).pipe(Effect.scoped))

    it.live("begins at the end where that is asked for", () =>
      Effect.gen(function*() {
        const { insert, layer } = yield* table
        yield* insert(1, 2)
        const { source } = yield* open(layer, Entries, { from: "end" })
        yield* insert(3)
        assert.deepStrictEqual(ns(yield* source.fetch({ max: 9, wait: Duration.seconds(2) })), [3])
      }).pipe(Effect.scoped))

    it.live("reads columns as the fields of the payload say", () =>
      Effect.gen(function*() {
        const All = Schema.Struct({
          id: Schema.Int,
          text: Schema.String,
          whole: Schema.NullOr(Schema.Int),
          part: Schema.Number,
          yes: Schema.Boolean,
          when: Schema.Date,
          nested: Schema.Struct({ deep: Schema.Array(Schema.Int) }),
          maybe: Schema.optionalKey(Schema.String)
        })
        class Rich extends Connector.Source<Rich>()("rich", All) {}
        const layer = yield* place.make
        const { sql } = yield* connect(layer)
        const [boolean, time, json] = place.name === "PostgreSQL"
          ? ["BOOLEAN", "TIMESTAMPTZ", "JSONB"]
          : ["BOOLEAN", place.name === "MariaDB" ? "DATETIME(3)" : "TEXT", "TEXT"]
        const q = (name: string) => place.name === "MariaDB" ? `\`${name}\`` : `"${name}"`
        yield* sql.unsafe(`CREATE TABLE rich (id ${place.identity}, ${q("text")} VARCHAR(99) NOT NULL, whole BIGINT,
          part DECIMAL(9, 2), yes ${boolean}, ${q("when")} ${time}, nested ${json}, maybe VARCHAR(9))`)
        const when = place.name === "MariaDB" ? "2026-01-02 03:04:05.678" : "2026-01-02T03:04:05.678Z"
        yield* sql.unsafe(`INSERT INTO rich (${q("text")}, whole, part, yes, ${q("when")}, nested, maybe)
          VALUES ('ünï', NULL, 1.25, TRUE, '${when}', '{"deep": [1, 2]}', NULL),
            ('b', 12345678901, 2, FALSE, '${when}', '{"deep": []}', 'x')`)
        const seen: Array<typeof All.Type> = []
        yield* Task.run(
          Task.consumer("read", Rich, ({ payload }) => Effect.sync(() => void seen.push(payload)))
            .pipe(Task.discardFailures)
        ).pipe(Effect.provide(Table.source(Rich, settling).pipe(Layer.provide(Layer.fresh(layer)))))
        const date = new Date("2026-01-02T03:04:05.678Z")
        assert.deepStrictEqual(seen, [
          { id: 1, text: "ünï", whole: null, part: 1.25, yes: true, when: date, nested: { deep: [1, 2] } },
          { id: 2, text: "b", whole: 12345678901, part: 2, yes: false, when: date, nested: { deep: [] }, maybe: "x" }
        ])
      }).pipe(Effect.scoped))

    it.live("says what it needs", () =>
      Effect.gen(function*() {
        const { layer, sql } = yield* table
        yield* sql.unsafe("CREATE TABLE odd (id INTEGER, n BIGINT NOT NULL)")
        yield* sql.unsafe("CREATE TABLE twins (k BIGINT NOT NULL, n BIGINT NOT NULL)")
        yield* sql.unsafe("CREATE VIEW seen AS SELECT * FROM entries")
        const problem = (options: Table.SourceOptions) =>
          Effect.map(
            Effect.flip(
              open(layer, Entries, { ...options, ...(options.settling === undefined ? { settling: undefined } : {}) })
            ),
            String
          )
        assert.include(yield* problem({ table: "nothing" }), "there is no table or view of that name")
        assert.include(
          yield* problem({ orderBy: ["nope"] }),
          `orderBy "nope": there is no such column; there are id, n, at`
        )
        assert.include(yield* problem({ orderBy: ["id", "id"] }), "it is there twice")
        assert.include(yield* problem({ table: "odd" }), "it may be NULL")
        assert.include(yield* problem({ table: "twins", orderBy: ["k"] }), "two rows may have the same values")
        assert.include(yield* problem({ id: "nope" }), `id "nope": there is no such column`)
        assert.include(yield* problem({ lease: 1 }), "lease must be a finite duration of at least 100 ms")
        if (place.name === "PostgreSQL") assert.include(yield* problem({ table: "seen" }), "give `settling`")
        yield* Effect.flatMap(open(layer, Entries), ({ close }) => close)
        assert.include(
          yield* Effect.map(
            Effect.flip(Effect.flatMap(
              open(layer, Entries, { orderBy: ["at", "id"] }),
              ({ source }) =>
                Effect.andThen(
                  sql`UPDATE ergon_cursors SET place = '{"by":["id"],"at":["1"]}'`,
                  source.fetch({ max: 1, wait: zero })
                )
            )),
            String
          ),
          "it is a place in the order of id, not of at, id"
        )
      }).pipe(Effect.scoped))
  })
}

it.live("what is read from a view and from text that is no JSON", () =>
  Effect.gen(function*() {
    class Texts extends Connector.Source<Texts>()("texts", Schema.Struct({ body: Schema.Struct({ a: Schema.Int }) })) {}
    const layer = Sqlite.layer({ filename: ":memory:" })
    const context = yield* Layer.build(layer)
    const { sql } = Context.get(context, Database.Database)
    yield* sql`CREATE TABLE all_texts (id INTEGER PRIMARY KEY, body TEXT)`
    yield* sql`CREATE VIEW texts AS SELECT * FROM all_texts WHERE id > 1`
    yield* sql`INSERT INTO all_texts (body) VALUES ('{"a": 0}'), ('{"a": 1}'), ('{"a"')`
    const { source } = Context.get(
      yield* Layer.build(Table.source(Texts).pipe(Layer.provide(Layer.succeedContext(context)))),
      Texts
    )
    const [sound, broken] = yield* source.fetch({ max: 9, wait: zero })
    assert.deepStrictEqual(sound!.transaction.payload, { body: { a: 1 } })
    assert.include(broken!.malformed, "holds text that should be JSON")
  }).pipe(Effect.scoped))

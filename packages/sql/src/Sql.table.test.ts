import { Connector, Task, Transaction } from "@ergon/core"
import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Effect, Layer, Schema } from "effect"
import { Database, SetupError, Sql, Sqlite } from "./index.ts"

class NoStock extends Data.TaggedError("NoStock")<{ readonly message: string }> {}

const memory = Sqlite.layer({ filename: ":memory:" })

const rows = (text: string) =>
  Effect.flatMap(
    Database.Database,
    ({ sql }) => Effect.map(sql.unsafe<Record<string, unknown>>(text), (rows) => rows.map((row) => ({ ...row })))
  )
const write = (...statements: ReadonlyArray<string>) =>
  Effect.flatMap(Database.Database, ({ sql }) => Effect.forEach(statements, (text) => sql.unsafe(text)))

class Films extends Connector.Sink<Films>()(
  "films",
  Schema.Struct({
    title: Schema.String,
    "Release Date": Schema.Date,
    good: Schema.Boolean,
    rating: Schema.NullOr(Schema.Number),
    votes: Schema.optional(Schema.Int),
    cast: Schema.Array(Schema.String),
    studio: Schema.Struct({ name: Schema.String }),
    grade: Schema.Literals(["a", "b"]),
    order: Schema.BigInt
  })
) {}

const film = (id: string, more: Partial<(typeof Films)["payload"]["Type"]> = {}) =>
  Transaction.make(id, {
    title: "Ran",
    "Release Date": new Date(Date.UTC(1985, 4, 31)),
    good: true,
    rating: 8.2,
    cast: ["Tatsuya \"N.\" Nakadai"],
    studio: { name: "Greenwich" },
    grade: "a" as const,
    order: 9007199254740993n,
    ...more
  })

describe("a table of a struct", () => {
  const layer = Layer.provideMerge(Sql.table(Films), memory)

  it.effect("has a column for each field, typed by how it is encoded", () =>
    Effect.gen(function*() {
      yield* Films
      const columns = yield* rows("SELECT name, type FROM pragma_table_info('films')")
      assert.deepStrictEqual(columns.map(({ name, type }) => `${name} ${type}`.trim()), [
        "id TEXT",
        "title TEXT",
        "Release Date TEXT",
        "good INTEGER",
        "rating NUMERIC",
        "votes NUMERIC",
        "cast TEXT",
        "studio TEXT",
        "grade TEXT",
        "order TEXT"
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("holds text, numbers and booleans as they are, and what is nested as JSON", () =>
    Effect.gen(function*() {
      yield* Connector.send(Films, film("1", { votes: 7 }))
      yield* Connector.send(Films, film("2", { good: false, rating: null, title: "It's \"quoted\"; DROP TABLE films" }))
      yield* Connector.send(Films, film("3", { rating: NaN }))
      const [first, second, third] = yield* rows("SELECT * FROM films ORDER BY id")
      assert.deepStrictEqual(first, {
        id: "1",
        title: "Ran",
        "Release Date": "1985-05-31T00:00:00.000Z",
        good: 1,
        rating: 8.2,
        votes: 7,
        cast: "[\"Tatsuya \\\"N.\\\" Nakadai\"]",
        studio: "{\"name\":\"Greenwich\"}",
        grade: "a",
        order: "9007199254740993"
      })
      assert.deepInclude(second, { good: 0, rating: null, votes: null, title: "It's \"quoted\"; DROP TABLE films" })
      assert.strictEqual(third?.["rating"], "NaN")
      assert.deepStrictEqual(yield* rows("SELECT count(*) AS n FROM films, json_each(films.cast)"), [{ n: 3 }])
    }).pipe(Effect.provide(layer)))

  it.effect("text that looks like a number stays text", () =>
    Effect.gen(function*() {
      yield* Connector.send(Films, film("007", { title: "1984" }))
      assert.deepStrictEqual(yield* rows("SELECT id, title FROM films"), [{ id: "007", title: "1984" }])
    }).pipe(Effect.provide(layer)))

  it.effect("text that looks like a number stays text, also where a number may come", () => {
    class Codes extends Connector.Sink<Codes>()(
      "codes",
      Schema.Struct({
        code: Schema.Union([Schema.Number, Schema.String]),
        grade: Schema.Literals(["1", 2]),
        ratio: Schema.NullOr(Schema.Number)
      })
    ) {}
    return Effect.gen(function*() {
      yield* Connector.send(Codes, Transaction.make("a", { code: "007", grade: "1", ratio: NaN }))
      yield* Connector.send(Codes, Transaction.make("b", { code: 7, grade: 2, ratio: 0.5 }))
      assert.deepStrictEqual(yield* rows("SELECT * FROM codes"), [
        { id: "a", code: "007", grade: "1", ratio: "NaN" },
        { id: "b", code: 7, grade: 2, ratio: 0.5 }
      ])
    }).pipe(Effect.provide(Layer.provideMerge(Sql.table(Codes), memory)))
  })

  it.effect("a second dispatch updates the row, also within one batch", () =>
    Effect.gen(function*() {
      yield* Connector.send(Films, film("1", { votes: 1 }))
      yield* Connector.send(Films, film("1", { title: "Kagemusha" }))
      assert.deepStrictEqual(yield* rows("SELECT id, title, votes FROM films"), [{
        id: "1",
        title: "Kagemusha",
        votes: null
      }])
      const { sink } = yield* Films
      yield* sink.dispatch([Transaction.make("2", { title: "Dreams" }), Transaction.make("2", { title: "Ikiru" })])
      assert.deepStrictEqual(yield* rows("SELECT title FROM films WHERE id = '2'"), [{ title: "Ikiru" }])
    }).pipe(Effect.provide(layer)))
})

describe("other payloads", () => {
  it.effect("one with an id of its own is written under that", () =>
    Effect.gen(function*() {
      class Users extends Connector.Sink<Users>()("users", Schema.Struct({ id: Schema.Int, name: Schema.String })) {}
      yield* Effect.gen(function*() {
        yield* Connector.send(Users, Transaction.make("message-1", { id: 7, name: "Ada" }))
        yield* Connector.send(Users, Transaction.make("message-2", { id: 7, name: "Grace" }))
        assert.deepStrictEqual(yield* rows("SELECT * FROM users"), [{ id: 7, name: "Grace" }])
      }).pipe(Effect.provide(Layer.provideMerge(Sql.table(Users), memory)))
    }))

  it.effect("the id has the column that is asked for, in the table that is asked for", () =>
    Effect.gen(function*() {
      class Users extends Connector.Sink<Users>()("users", Schema.Struct({ id: Schema.Int, name: Schema.String })) {}
      yield* Effect.gen(function*() {
        yield* Connector.send(Users, Transaction.make("message-1", { id: 7, name: "Ada" }))
        assert.deepStrictEqual(yield* rows("SELECT * FROM people"), [{ "the \"id\"": "message-1", id: 7, name: "Ada" }])
      }).pipe(Effect.provide(Layer.provideMerge(Sql.table(Users, { table: "people", id: "the \"id\"" }), memory)))
    }))

  it.effect("one whose own id is missing is refused: it could not be written again", () =>
    Effect.gen(function*() {
      class Users extends Connector.Sink<Users>()("users", Schema.Struct({ id: Schema.NullOr(Schema.Int) })) {}
      yield* Effect.gen(function*() {
        const error = yield* Effect.flip(Connector.send(Users, Transaction.make("message-1", { id: null })))
        assert.include(error.message, "NOT NULL constraint failed: users.id")
      }).pipe(Effect.provide(Layer.provideMerge(Sql.table(Users), memory)))
    }))

  it.effect("one that is no struct is one column of JSON", () =>
    Effect.gen(function*() {
      class Anything extends Connector.Sink<Anything>()("anything", Schema.Unknown) {}
      yield* Effect.gen(function*() {
        const values = [[1, 2], "text", null, { a: 1 }, true]
        yield* Effect.forEach(values, (value, n) => Connector.send(Anything, Transaction.make(`${n}`, value)))
        const payloads = yield* rows("SELECT payload FROM anything ORDER BY id")
        assert.deepStrictEqual(payloads.map(({ payload }) => JSON.parse(String(payload))), values)
      }).pipe(Effect.provide(Layer.provideMerge(Sql.table(Anything), memory)))
    }))

  it.effect("one that is nothing but its id", () =>
    Effect.gen(function*() {
      class Ids extends Connector.Sink<Ids>()("ids", Schema.Struct({ id: Schema.String })) {}
      yield* Effect.gen(function*() {
        yield* Connector.send(Ids, Transaction.make("1", { id: "a" }))
        yield* Connector.send(Ids, Transaction.make("2", { id: "a" }))
        assert.deepStrictEqual(yield* rows("SELECT * FROM ids"), [{ id: "a" }])
      }).pipe(Effect.provide(Layer.provideMerge(Sql.table(Ids), memory)))
    }))
})

describe("a table that is there already", () => {
  class Pairs extends Connector.Sink<Pairs>()("pairs", Schema.Struct({ left: Schema.String, right: Schema.String })) {}
  const layer = Sql.table(Pairs)
  const refused = (...statements: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      yield* write(...statements)
      const error = yield* Effect.flip(Layer.build(layer))
      assert.instanceOf(error, SetupError.SetupError)
      return error.message
    }).pipe(Effect.provide(memory))

  it.effect("with columns missing is refused, naming them", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refused("CREATE TABLE pairs (id TEXT PRIMARY KEY, \"left\" TEXT)"),
        `table "pairs": it has no column "right"; it has "id", "left"`
      )
      assert.include(yield* refused("CREATE TABLE pairs (x)"), `it has no column "id", "left", "right"; it has "x"`)
    }))

  it.effect("without a unique index on the id is refused", () =>
    Effect.gen(function*() {
      assert.include(
        yield* refused("CREATE TABLE pairs (id TEXT, \"left\" TEXT, \"right\" TEXT)"),
        `rows cannot be written under "id": ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint`
      )
    }))

  it.effect("that is a queue is refused, whichever of the two was first", () =>
    Effect.gen(function*() {
      class Jobs extends Connector.Queue<Jobs>()("jobs", Schema.Unknown) {}
      class Same extends Connector.Sink<Same>()("JOBS", Schema.Unknown) {}
      yield* Layer.build(Sql.queue(Jobs))
      const error = yield* Effect.flip(Layer.build(Sql.table(Same)))
      assert.instanceOf(error, SetupError.SetupError)
      assert.include(error.message, "it is the table of a queue")
      yield* Layer.build(Sql.table(Same, { table: "others" }))
      const other = yield* Effect.flip(Layer.build(Sql.queue(Jobs, { table: "others" })))
      assert.include(other.message, "there is a table of that name already")
    }).pipe(Effect.provide(memory)))

  it.effect("that is a view is refused", () =>
    Effect.gen(function*() {
      assert.include(
        yield* refused("CREATE VIEW pairs AS SELECT 1 AS id, 2 AS \"left\", 3 AS \"right\""),
        `rows cannot be written under "id"`
      )
    }))

  it.effect("with more columns, in another order and another case, is written", () =>
    Effect.gen(function*() {
      yield* write(
        "CREATE TABLE pairs (\"RIGHT\" TEXT, made TEXT DEFAULT 'today', \"left\" TEXT, id TEXT NOT NULL)",
        "CREATE UNIQUE INDEX pairs_id ON pairs (id)"
      )
      const { sink } = Context.get(yield* Layer.build(layer), Pairs)
      yield* sink.dispatch([Transaction.make("1", { left: "l", right: "r" })])
      assert.deepStrictEqual(yield* rows("SELECT * FROM pairs"), [{ RIGHT: "r", made: "today", left: "l", id: "1" }])
    }).pipe(Effect.provide(memory)))
})

describe("names that differ by case alone are one name to SQLite", () => {
  it.effect("two such fields are refused", () =>
    Effect.gen(function*() {
      class Twins extends Connector.Sink<Twins>()("twins", Schema.Struct({ a: Schema.String, A: Schema.String })) {}
      const error = yield* Effect.flip(Layer.build(Sql.table(Twins)))
      assert.instanceOf(error, SetupError.SetupError)
      assert.include(error.message, `two of its columns are "a" and "A"`)
    }).pipe(Effect.provide(memory)))

  it.effect("an id column that differs from a field by its case is that field", () =>
    Effect.gen(function*() {
      class Users extends Connector.Sink<Users>()("users", Schema.Struct({ ID: Schema.Int })) {}
      const { sink } = Context.get(yield* Layer.build(Sql.table(Users)), Users)
      yield* sink.dispatch([Transaction.make("message-1", { ID: 7 })])
      assert.deepStrictEqual(yield* rows("SELECT * FROM users"), [{ ID: 7 }])
    }).pipe(Effect.provide(memory)))
})

describe("a batch", () => {
  const count = 20_000
  class Numbers extends Connector.Sink<Numbers>()("numbers", Schema.Struct({ n: Schema.Int })) {}
  const numbers = Array.from({ length: count }, (_, n) => Transaction.make(`${n}`, { n }))
  const build = Effect.map(Layer.build(Sql.table(Numbers)), Context.get(Numbers))

  it.effect("larger than one statement is written as a whole", () =>
    Effect.gen(function*() {
      const { sink } = yield* build
      yield* sink.dispatch(numbers)
      assert.deepStrictEqual(yield* rows("SELECT count(*) AS n, sum(n) AS sum FROM numbers"), [{
        n: count,
        sum: count * (count - 1) / 2
      }])
    }).pipe(Effect.provide(memory)))

  it.effect("or not at all: a reason that is not retryable names the rule that was broken", () =>
    Effect.gen(function*() {
      yield* write(`CREATE TABLE numbers (id TEXT PRIMARY KEY, n INTEGER CHECK (n < ${count - 1}))`)
      const { sink } = yield* build
      const error = yield* Effect.flip(sink.dispatch(numbers))
      assert.strictEqual(error.reason._tag, "InvalidRequest")
      assert.isFalse(error.reason.isRetryable)
      assert.include(error.message, "CHECK constraint failed")
      assert.deepStrictEqual(yield* rows("SELECT count(*) AS n FROM numbers"), [{ n: 0 }])
    }).pipe(Effect.provide(memory)))

  it.effect("an id that cannot be stored as it is, is refused by name: it would be another one's", () =>
    Effect.gen(function*() {
      const { sink } = yield* build
      const ids = ["half-\ud800", "whole-\u{1f600}", "half-\ud801"]
      const error = yield* Effect.flip(sink.dispatch(ids.map((id, n) => Transaction.make(id, { n }))))
      assert.deepStrictEqual(error.failed?.map(({ index, reason }) => [index, reason._tag]), [
        [0, "InvalidRequest"],
        [2, "InvalidRequest"]
      ])
      assert.deepStrictEqual(yield* rows("SELECT id, n FROM numbers"), [{ id: "whole-\u{1f600}", n: 1 }])
    }).pipe(Effect.provide(memory)))

  it.effect("of nothing is nothing", () =>
    Effect.gen(function*() {
      const { sink } = yield* build
      yield* sink.dispatch([])
    }).pipe(Effect.provide(memory)))
})

describe("a table of dead letters", () => {
  class Orders extends Connector.Queue<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
  class Dead extends Connector.DeadLetters<Dead>()("dead-orders") {}
  const layer = Layer.provideMerge(Layer.merge(Sql.queue(Orders), Sql.deadLetters(Dead)), memory)
  const task = Task.consumer("ship", Orders, () => Effect.fail(new NoStock({ message: "no stock" }))).pipe(
    Task.deadLetter(Dead)
  )

  it.live("holds a row per transaction, with what a person looks for in columns", () =>
    Effect.gen(function*() {
      const { sink } = yield* Orders
      yield* sink.dispatch([
        Transaction.make("1", { quantity: 2 }, { tenant: "north" }),
        Transaction.make("2", { quantity: "two" })
      ])
      yield* Task.run(task)
      const [first, second] = yield* rows("SELECT * FROM dead_orders ORDER BY id")
      assert.deepInclude(first, {
        source: "orders",
        id: "1",
        task: "ship",
        step: "process",
        category: "business",
        error_tag: "NoStock",
        error_message: "no stock",
        attempts: 1,
        deliveries: 0,
        payload: "{\"quantity\":2}",
        metadata: "{\"tenant\":\"north\"}"
      })
      assert.include(String(first?.["reason"]), "no stock")
      assert.match(String(first?.["failed_at"]), /^\d{4}-\d\d-\d\dT/)
      assert.deepInclude(second, { id: "2", step: "decode", category: "invalid", payload: "{\"quantity\":\"two\"}" })
      assert.deepStrictEqual(yield* Connector.count(Orders), { ready: 0, inFlight: 0, delayed: 0 })
      assert.deepStrictEqual(yield* Sql.letters(Orders), [])
    }).pipe(Effect.provide(layer)))

  it.live("a transaction that is given up again replaces its row", () =>
    Effect.gen(function*() {
      const { sink } = yield* Orders
      const send = Effect.andThen(sink.dispatch([Transaction.make("1", { quantity: 2 })]), Task.run(task))
      yield* send
      yield* write("DELETE FROM orders")
      yield* send
      assert.deepStrictEqual(yield* rows("SELECT count(*) AS n FROM dead_orders"), [{ n: 1 }])
    }).pipe(Effect.provide(layer)))
})

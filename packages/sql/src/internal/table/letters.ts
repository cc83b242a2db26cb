/**
 * The table of a sink of dead letters: what a person looks for in columns of its own, in the order of their arrival.
 *
 * A letter's key names its place in that order, which a transaction that is given up again leaves, and what stands
 * there: a place may be used again, and never for the same letter.
 */
import { type Connector, ConnectorError, DeadLetter } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Database } from "../../Database.ts"
import type { SetupError } from "../../SetupError.ts"
import type { Dialect } from "../dialect.ts"
import type { SqlError } from "../effectSql.ts"
import { metadataOf, payloadOf } from "../letter.ts"
import { closed } from "../rowSink.ts"
import type { Kind } from "./columns.ts"
import { openTable, prepare, type Table } from "./sink.ts"

const kind = "text"

/** A transaction that is given up again replaces its letter. */
const letterTable = ({ table: { toColumn } }: Dialect, name: string, inOrder: boolean): Table => ({
  name,
  columns: [
    { name: "source", kind },
    { name: "id", kind },
    { name: "task", kind },
    { name: "failed_at", kind },
    { name: "step", kind },
    { name: "category", kind },
    { name: "reason", kind },
    { name: "error_tag", kind },
    { name: "error_message", kind },
    { name: "attempts", kind: "number" },
    { name: "deliveries", kind: "number" },
    { name: "payload", kind },
    { name: "metadata", kind }
  ],
  // The id first: letters are looked up by it.
  primaryKey: ["id", "source"],
  inOrder,
  row: ({ payload }) => {
    const at = (object: unknown, field: string): unknown =>
      typeof object === "object" && object !== null ? Reflect.get(object, field) : undefined
    const field = (name: string, kind: Kind = "text") => toColumn(at(payload, name), kind)
    const error = at(payload, "error")
    return [
      field("source"),
      field("id"),
      field("task"),
      field("failedAt"),
      field("step"),
      field("category"),
      field("reason"),
      toColumn(at(error, "tag"), "text"),
      toColumn(at(error, "message"), "text"),
      field("attempts", "number"),
      field("deliveries", "number"),
      JSON.stringify(at(payload, "payload")) ?? null,
      field("metadata")
    ]
  }
})

interface LetterRow {
  readonly place: number
  readonly source: string
  readonly id: string
  readonly task: string | null
  readonly failed_at: string | null
  readonly step: string | null
  readonly category: string | null
  readonly reason: string | null
  readonly error_tag: string | null
  readonly error_message: string | null
  readonly attempts: number | null
  readonly deliveries: number | null
  readonly payload: string | null
  readonly metadata: string | null
}

const decodeStep = Schema.decodeUnknownOption(DeadLetter.DeadLetter.fields.step)
const decodeCategory = Schema.decodeUnknownOption(DeadLetter.DeadLetter.fields.category)

/** Rows can be written by hand: what is missing is said to be. */
const letterOf = (row: LetterRow): DeadLetter.DeadLetter => {
  const reason = row.reason ?? "given up by hand"
  return new DeadLetter.DeadLetter({
    // An empty id names no transaction, and a letter has to have one.
    id: row.id === "" ? "-" : row.id,
    payload: payloadOf(row.payload),
    metadata: metadataOf(row.metadata),
    reason,
    step: Option.getOrElse(decodeStep(row.step), () => "settle"),
    category: Option.getOrElse(decodeCategory(row.category), () => "system"),
    error: { tag: row.error_tag ?? "DeadLetter", message: row.error_message ?? reason },
    attempts: row.attempts ?? 0,
    deliveries: row.deliveries ?? 0,
    task: row.task ?? "",
    source: row.source,
    failedAt: row.failed_at ?? new Date(0).toISOString()
  })
}

const keyOf = ({ failed_at, id, place, source }: LetterRow): string => JSON.stringify([place, failed_at, source, id])

const decodeKey = Schema.decodeSync(
  Schema.fromJsonString(Schema.Tuple([Schema.Finite, Schema.NullOr(Schema.String), Schema.String, Schema.String]))
)

const lettersOf = (
  { dialect, sql }: Database["Service"],
  { columns, name }: Table,
  isClosed: () => boolean
): Connector.Letters => {
  const { find, list, remove } = dialect.table.letters
  const whileOpen = <A>(effect: Effect.Effect<A, SqlError>) =>
    Effect.suspend(() =>
      isClosed()
        ? Effect.fail(new ConnectorError.LettersError({ reason: closed }))
        : Effect.mapError(
          effect,
          (error) => new ConnectorError.LettersError({ reason: dialect.reasonOf(error) })
        )
    )
  const stored = (row: LetterRow): Connector.StoredLetter => ({ key: keyOf(row), letter: letterOf(row) })
  return {
    list: ({ after, max }) =>
      Effect.map(
        whileOpen(
          list<LetterRow>(sql, name, columns, { after: after === undefined ? undefined : Number(after), max })
        ),
        (rows) => ({ letters: rows.map(stored), next: rows.length < max ? undefined : String(rows.at(-1)?.place) })
      ),
    find: (id) => Effect.map(whileOpen(find<LetterRow>(sql, name, columns, id)), (rows) => rows.map(stored)),
    remove: (keys) =>
      Effect.uninterruptible(whileOpen(Effect.suspend(() =>
        remove(
          sql,
          name,
          keys.map((key) => {
            const [place, failedAt, source, id] = decodeKey(key)
            return { place, failedAt, source, id }
          })
        )
      )))
  }
}

/** Makes the table where it is missing, and opens it. Its letters can be read where its rows have places. */
export const openLetters = (
  database: Database["Service"],
  name: string
): Effect.Effect<Connector.SinkService, SqlError | SetupError, Scope.Scope> =>
  Effect.gen(function*() {
    const { dialect } = database
    const inOrder = yield* dialect.table.letters.hasPlaces(database.sql, name)
    const table = letterTable(dialect, name, inOrder)
    yield* prepare(database, table)
    const sink = yield* openTable(database, table)
    if (!inOrder) return sink
    let isClosed = false
    yield* Effect.addFinalizer(() => Effect.sync(() => void (isClosed = true)))
    return { ...sink, letters: lettersOf(database, table, () => isClosed) }
  })

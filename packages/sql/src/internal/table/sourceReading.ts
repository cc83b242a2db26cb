/**
 * How one table is read: its columns looked up, its cursor made, its statements.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { Database } from "../../Database.ts"
import { SetupError } from "../../SetupError.ts"
import type { SqlError } from "../effectSql.ts"
import type { ReadRow, TableReading } from "./source.ts"
import { Cursor } from "./sourceCursor.ts"
import type { Description, Found, Position, SourceDialect } from "./sourceDialect.ts"
import { Horizon } from "./sourceHorizon.ts"
import { mysqlSource } from "./sourceMysql.ts"
import { postgresSource } from "./sourcePostgres.ts"
import { type Field, fieldsOf, fromColumn } from "./sourceRows.ts"
import { sqliteSource } from "./sourceSqlite.ts"

export interface ReadingOptions {
  readonly table: string
  readonly payload: Schema.Constraint
  readonly by: ReadonlyArray<string>
  readonly id: string | undefined
  readonly cursor: string
  readonly from: "beginning" | "end"
  /** Milliseconds each. */
  readonly settling: number | undefined
  readonly lease: number
  readonly poll: number
}

const dialectOf = (name: Database["Service"]["dialect"]["name"]): SourceDialect =>
  name === "SQLite" ? sqliteSource : name === "PostgreSQL" ? postgresSource : mysqlSource

export const openReading = (
  { dialect: { catalogue, name, sameName }, sql }: Database["Service"],
  options: ReadingOptions
): Effect.Effect<TableReading, SqlError | SetupError> =>
  Effect.gen(function*() {
    const { table } = options
    const dialect = dialectOf(name)
    const refuse = (problem: string) => Effect.fail(new SetupError({ table, problem }))
    const described = yield* dialect.describe(sql, table)
    if (described === undefined) return yield* refuse("there is no table or view of that name")
    const find = (column: string) => described.columns.find((found) => sameName(found.name, column))
    const by: Array<Found> = []
    for (const column of options.by) {
      const found = find(column)
      const problem = found === undefined
        ? `there is no such column; there are ${described.columns.map(({ name }) => name).join(", ")}`
        : found.nullable && !described.isView
        ? "it may be NULL, and a row without a value has no place in the order"
        : dialect.refuses(found.type)
      if (found === undefined || problem !== undefined) return yield* refuse(`orderBy "${column}": ${problem}`)
      by.push(found)
    }
    const unordered = orderProblem(described, by, sameName)
    if (unordered !== undefined) return yield* refuse(unordered)
    if (options.id !== undefined && find(options.id) === undefined) {
      return yield* refuse(`id "${options.id}": there is no such column`)
    }
    const fields = fieldsOf(options.payload)
    const missing = (fields ?? []).filter((field) => find(field.name) === undefined).map((field) => field.name)
    if (missing.length > 0) {
      return yield* refuse(
        `it has no column ${missing.join(", ")}; it has ${described.columns.map(({ name }) => name).join(", ")}`
      )
    }
    const writers = yield* writersOf(sql, dialect, options, described)

    const names = by.map((column) => column.name)
    const cursor = new Cursor(sql, dialect, { name: options.cursor, by: names, owner: crypto.randomUUID() })
    const statements = statementsOf(dialect, { ...options, fields, by, hasPayload: find("payload") !== undefined })
    const last = (behind: Position | undefined) => {
      const { params, text } = statements.last(behind)
      return Effect.map(
        sql.unsafe<Record<string, unknown>>(text, params),
        ([row]) => row === undefined ? undefined : positionIn(row, by.length)
      )
    }
    // Who may not make tables may use one that is there.
    if (!(yield* catalogue.exists(sql, "ergon_cursors"))) {
      yield* catalogue.alone(sql, sql.unsafe(dialect.cursors.create))
    }
    if (!(yield* cursor.isThere)) yield* cursor.add(options.from === "end" ? yield* last(undefined) : undefined)

    const { locking } = dialect
    const clock = yield* Clock.Clock
    const settling = options.settling ?? dialect.settling
    return {
      table,
      by: names,
      cursor,
      horizon: writers === undefined && locking === undefined && settling === 0
        ? undefined
        : new Horizon({ settling, last, writers, now: () => clock.currentTimeMillisUnsafe() }),
      page: (behind, upTo, max) => {
        const lock = locking === undefined || upTo === undefined ? "" : locking.text(name)
        const read = (max: number) => {
          const { params, text } = statements.page(behind, upTo, max)
          return Effect.map(
            sql.unsafe<Record<string, unknown>>(`${text}${lock}`, params),
            (rows) => rows.map((row) => statements.read(row))
          )
        }
        const upToLocked = (max: number): ReturnType<TableReading["page"]> =>
          Effect.catchTag(
            Effect.map(read(max), (rows) => ({ rows, isBlocked: false })),
            "SqlError",
            (error) =>
              locking?.isBlocked(error) !== true
                ? Effect.fail(error)
                : max === 1
                ? Effect.succeed({ rows: [], isBlocked: true })
                : Effect.map(upToLocked(Math.ceil(max / 8)), ({ rows }) => ({ rows, isBlocked: true }))
          )
        return upToLocked(max)
      },
      waiting: (behind) => {
        const { params, text } = statements.count(behind)
        return Effect.map(sql.unsafe<{ n: unknown }>(text, params), ([row]) => Number(row?.n ?? 0))
      },
      lease: options.lease,
      poll: options.poll
    }
  })

/** Rows with the same place would be passed over where a page ends between them. */
const orderProblem = (
  { isView, uniqueKeys }: Description,
  by: ReadonlyArray<Found>,
  sameName: (a: string, b: string) => boolean
): string | undefined => {
  const isUnique = uniqueKeys.some((key) => key.every((column) => by.some(({ name }) => sameName(name, column))))
  return isView || isUnique
    ? undefined
    : `orderBy ${by.map(({ name }) => name).join(", ")}: two rows may have the same values; ` +
      "end it with the columns of the primary key or of a unique index"
}

/** Who is writing; `undefined` where `settling` has to do, or where one writes at a time. */
const writersOf = (
  sql: Database["Service"]["sql"],
  dialect: SourceDialect,
  { settling, table }: ReadingOptions,
  { isView }: Description
): Effect.Effect<Effect.Effect<ReadonlyArray<string>, SqlError> | undefined, SetupError> => {
  if (dialect.writers === undefined) return Effect.undefined
  if (isView) {
    return settling !== undefined
      ? Effect.undefined
      : Effect.fail(
        new SetupError({
          table,
          problem: "it is a view, and nobody can tell who writes to it: give `settling`, longer than any transaction"
        })
      )
  }
  return Effect.succeed(dialect.writers(sql, table))
}

interface StatementOptions {
  readonly table: string
  readonly by: ReadonlyArray<Found>
  readonly id: string | undefined
  readonly fields: ReadonlyArray<Field> | undefined
  readonly hasPayload: boolean
}

const place = (index: number) => `ergon_${index}`

const positionIn = (row: Record<string, unknown>, columns: number): Position =>
  Array.from({ length: columns }, (_, index) => {
    const value = row[place(index)]
    return typeof value === "number" ? value : String(value)
  })

const statementsOf = (dialect: SourceDialect, { by, fields, hasPayload, id, table }: StatementOptions) => {
  const { compare, exact, quoted } = dialect
  const from = quoted(table)
  const places = by.map(({ name }, index) => `${exact(name)} AS ${place(index)}`)
  const order = (direction: string) => by.map(({ name }) => `${quoted(name)}${direction}`).join(", ")
  const own = fields !== undefined
    ? fields.map(({ name }) => `${quoted(name)} AS ${quoted(name)}`)
    : hasPayload
    ? [quoted("payload")]
    : [`${from}.*`]
  const columns = [...own, ...places, ...(id === undefined ? [] : [`${exact(id)} AS ergon_id`])].join(", ")
  const where = (behind: Position | undefined, upTo: Position | undefined) => {
    const after = behind === undefined ? undefined : compare(by, ">", behind, 1)
    const until = upTo === undefined ? undefined : compare(by, "<=", upTo, 1 + (after?.params.length ?? 0))
    const all = [after, until].filter((one) => one !== undefined)
    return {
      text: all.length === 0 ? "" : ` WHERE ${all.map(({ text }) => text).join(" AND ")}`,
      params: all.flatMap(({ params }) => params)
    }
  }
  const payloadOf = (row: Record<string, unknown>): unknown => {
    if (fields === undefined) {
      return hasPayload ? fromColumn(row["payload"], "json") : Object.fromEntries(
        Object.entries(row)
          .filter(([name]) => !name.startsWith("ergon_"))
          .map(([name, value]) => [name, fromColumn(value, "any")])
      )
    }
    const payload: Record<string, unknown> = {}
    for (const { absent, kind, name } of fields) {
      const value = fromColumn(row[name], kind)
      if (value !== null || !absent) payload[name] = value
    }
    return payload
  }
  return {
    page: (behind: Position | undefined, upTo: Position | undefined, max: number) => {
      const { params, text } = where(behind, upTo)
      return { text: `SELECT ${columns} FROM ${from}${text} ORDER BY ${order("")} LIMIT ${max}`, params }
    },
    last: (behind: Position | undefined) => {
      const { params, text } = where(behind, undefined)
      return { text: `SELECT ${places.join(", ")} FROM ${from}${text} ORDER BY ${order(" DESC")} LIMIT 1`, params }
    },
    count: (behind: Position | undefined) => {
      const { params, text } = where(behind, undefined)
      return { text: `SELECT COUNT(*) AS n FROM ${from}${text}`, params }
    },
    read: (row: Record<string, unknown>): ReadRow => {
      const position = positionIn(row, by.length)
      const given = row["ergon_id"]
      const id = typeof given === "string" || typeof given === "number" ? String(given) : position.join("/")
      try {
        return { position, id, payload: payloadOf(row), malformed: undefined }
      } catch (error) {
        const malformed = `the row at ${id} of table "${table}" holds text that should be JSON: ${String(error)}`
        return { position, id, payload: row, malformed }
      }
    }
  }
}

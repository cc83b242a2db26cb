/**
 * Where a reader of a table is, in the same database, and who reads: one at a time.
 *
 *     free ──claim──▶ ours until `until` ──claim──▶ ours for longer
 *                         │ └──given back──▶ free
 *                         └──`until` has passed──▶ anybody's
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Client, SqlError } from "../effectSql.ts"
import type { Position, SourceDialect } from "./sourceDialect.ts"

const Place = Schema.Struct({
  by: Schema.Array(Schema.String),
  at: Schema.Array(Schema.Union([Schema.String, Schema.Number]))
})
const decodePlace = Schema.decodeUnknownEffect(Schema.fromJsonString(Place))

export interface CursorState {
  readonly isOurs: boolean
  readonly place: string | null
}

/** The place of a cursor that was kept for these columns; what is wrong with it otherwise. */
export const positionOf = (
  place: string | null,
  by: ReadonlyArray<string>
): Effect.Effect<Position | undefined, string> =>
  place === null ? Effect.undefined : Effect.flatMap(
    Effect.mapError(decodePlace(place), () => "its place cannot be read"),
    (known) =>
      known.by.length === by.length && known.by.every((name, index) => name === by[index]) &&
        known.at.length === by.length
        ? Effect.succeed(known.at)
        : Effect.fail(`it is a place in the order of ${known.by.join(", ")}, not of ${by.join(", ")}`)
  )

export class Cursor {
  private readonly sql: Client.SqlClient
  private readonly dialect: SourceDialect
  private readonly name: string
  private readonly by: ReadonlyArray<string>
  private readonly owner: string

  constructor(
    sql: Client.SqlClient,
    dialect: SourceDialect,
    options: { readonly name: string; readonly by: ReadonlyArray<string>; readonly owner: string }
  ) {
    this.sql = sql
    this.dialect = dialect
    this.name = options.name
    this.by = options.by
    this.owner = options.owner
  }

  /** Whether it is known. */
  get isThere(): Effect.Effect<boolean, SqlError> {
    return Effect.map(
      this.sql.unsafe(`SELECT 1 FROM ergon_cursors WHERE name = ${this.dialect.parameter(1)}`, [this.name]),
      (rows) => rows.length > 0
    )
  }

  /** Makes it at this place, unless somebody else has. */
  add(at: Position | undefined): Effect.Effect<void, SqlError> {
    return Effect.asVoid(this.sql.unsafe(this.dialect.cursors.add, [this.name, this.placeOf(at)]).raw)
  }

  private placeOf(at: Position | undefined): string | null {
    return at === undefined ? null : JSON.stringify({ by: this.by, at })
  }

  /** Takes it, or keeps it for longer, unless another reader has it. */
  claim(now: number, until: number): Effect.Effect<CursorState, SqlError> {
    const p = this.dialect.parameter
    const claim = this.sql.unsafe(
      `UPDATE ergon_cursors SET owner = ${p(1)}, until = ${p(2)}, version = version + 1
        WHERE name = ${p(3)} AND (owner IS NULL OR owner = ${p(4)} OR until <= ${p(5)})`,
      [this.owner, until, this.name, this.owner, now]
    )
    const look = this.sql.unsafe<{ readonly owner: string | null; readonly place: string | null }>(
      `SELECT owner, place FROM ergon_cursors WHERE name = ${p(1)}`,
      [this.name]
    )
    return Effect.map(Effect.andThen(claim.raw, look), ([row]) => ({
      isOurs: row?.owner === this.owner,
      place: row?.place ?? null
    }))
  }

  /** Moves it on, while it is ours; answers whether it was. */
  move(to: Position, until: number): Effect.Effect<boolean, SqlError> {
    const p = this.dialect.parameter
    return Effect.map(
      this.sql.unsafe(
        `UPDATE ergon_cursors SET place = ${p(1)}, until = ${p(2)}, version = version + 1
          WHERE name = ${p(3)} AND owner = ${p(4)}`,
        [this.placeOf(to), until, this.name, this.owner]
      ).raw,
      (result) => this.dialect.cursors.changes(result) > 0
    )
  }

  get giveBack(): Effect.Effect<void, SqlError> {
    const p = this.dialect.parameter
    return Effect.asVoid(
      this.sql.unsafe(
        `UPDATE ergon_cursors SET owner = NULL, until = NULL, version = version + 1
          WHERE name = ${p(1)} AND owner = ${p(2)}`,
        [this.name, this.owner]
      ).raw
    )
  }
}

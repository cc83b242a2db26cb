/**
 * Up to where a table may be read: what stands before it is all that will ever stand there.
 *
 * A row can be committed after one with a higher value of the cursor. So the last position that is seen is a mark first:
 *
 *     marked ──`settling`──▶ counted ──they have all ended──▶ safe
 *
 * `settling` passes, so that who has taken a lower value shows that he writes; then the transactions that are writing are
 * counted; once they have all ended, whatever they have written before the mark is visible. Who begins later takes higher
 * values. Where nobody says who writes, rows tell it as they are read, or `settling` has to be longer than any transaction.
 */
import * as Effect from "effect/Effect"
import type { SqlError } from "../effectSql.ts"
import type { Position } from "./sourceDialect.ts"

interface Mark {
  readonly at: Position
  readonly seen: number
  writers: ReadonlyArray<string> | undefined
}

export interface HorizonOptions {
  /** Milliseconds. */
  readonly settling: number
  /** The last position that is seen behind another one. */
  readonly last: (behind: Position | undefined) => Effect.Effect<Position | undefined, SqlError>
  readonly writers: Effect.Effect<ReadonlyArray<string>, SqlError> | undefined
  readonly now: () => number
}

export class Horizon {
  private readonly options: HorizonOptions
  private mark: Mark | undefined

  constructor(options: HorizonOptions) {
    this.options = options
  }

  /** The mark that there is, and when its writers are counted. */
  get marked(): { readonly countAt: number } | undefined {
    return this.mark === undefined ? undefined : { countAt: this.mark.seen + this.options.settling }
  }

  forget(): void {
    this.mark = undefined
  }

  /** The position up to which all is there, behind `position`; `undefined` where there is none yet. */
  safeBehind(position: Position | undefined): Effect.Effect<Position | undefined, SqlError> {
    return Effect.suspend(() => {
      const { mark } = this
      if (mark !== undefined) return this.matured(mark)
      return Effect.flatMap(this.options.last(position), (at) => {
        if (at === undefined) return Effect.undefined
        const made: Mark = { at, seen: this.options.now(), writers: undefined }
        this.mark = made
        return this.matured(made)
      })
    })
  }

  private matured(mark: Mark): Effect.Effect<Position | undefined, SqlError> {
    const { now, settling, writers } = this.options
    if (now() < mark.seen + settling) return Effect.undefined
    const safe = Effect.sync(() => {
      this.mark = undefined
      return mark.at
    })
    if (writers === undefined || mark.writers?.length === 0) return safe
    return Effect.flatMap(writers, (open) => {
      const before = mark.writers
      mark.writers = before === undefined ? open : before.filter((one) => open.includes(one))
      return mark.writers.length === 0 ? safe : Effect.undefined
    })
  }
}

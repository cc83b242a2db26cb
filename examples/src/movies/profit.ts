/**
 * What is worth knowing about a film: what it made of its money, and whether critics and audience agree.
 */
import { Schema } from "effect"
import type { Film } from "./film.ts"

/** Dollars are those of 2010; opinions go from 0 to 100. */
export const Profit = Schema.Struct({
  title: Schema.String,
  year: Schema.Int,
  budget: Schema.Int,
  gross: Schema.Int,
  profit: Schema.Int,
  /** What came back for each dollar that was spent. */
  returned: Schema.Number,
  critics: Schema.NullOr(Schema.Number),
  audience: Schema.NullOr(Schema.Number),
  /** Above zero where the critics liked it better. */
  disagreement: Schema.NullOr(Schema.Number)
})
export type Profit = typeof Profit.Type

/** `rise`: what a dollar of that year is in dollars of 2010. */
export const profitOf = ({ budget, critics, gross, released, title, ...film }: Film, rise: number): Profit => {
  const audience = film.audience === null ? null : Math.round(film.audience * 10)
  return {
    title,
    year: released.getUTCFullYear(),
    budget: Math.round(budget * rise),
    gross: Math.round(gross * rise),
    profit: Math.round((gross - budget) * rise),
    returned: Number((gross / budget).toFixed(2)),
    critics,
    audience,
    disagreement: critics === null || audience === null ? null : critics - audience
  }
}

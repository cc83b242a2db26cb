/**
 * What a run did, what came out of it, and what to try next.
 */
import type { Outcome } from "@ergon/core"
import { Database } from "@ergon/sql"
import { Console, Duration, Effect } from "effect"
import { number } from "./progress.ts"

/** The dead letters of this run and of those before, by the first line of their reason, each with an example. */
const reasons = Effect.gen(function*() {
  const { sql } = yield* Database.Database
  const rows = yield* sql<{ readonly reason: string; readonly films: number; readonly id: string }>`
    SELECT reason, count(*) AS films, min(id) AS id FROM dead_films GROUP BY reason ORDER BY films DESC`
  return rows.map(({ films, id, reason }) => `${count(films)}  ${reason.split("\n")[0]}\n           such as: ${id}`)
})

interface Row {
  readonly title: string
  readonly year: number
  readonly profit: number
  readonly returned: number
  readonly critics: number
  readonly audience: number
}

/** The films that are first in one way or another. */
const firsts = Effect.gen(function*() {
  const { sql } = yield* Database.Database
  const told = (what: string, rows: ReadonlyArray<Row>, tell: (row: Row) => string) =>
    rows.map((row) => `  ${what.padEnd(15)}  ${row.title} (${row.year}): ${tell(row)}`)
  const millions = ({ profit }: Row) => `${number(Math.round(profit / 1e6))} million dollars`
  return [
    told("most profit", yield* sql<Row>`SELECT * FROM profits ORDER BY profit DESC LIMIT 1`, millions),
    told("least profit", yield* sql<Row>`SELECT * FROM profits ORDER BY profit LIMIT 1`, millions),
    told(
      "best return",
      yield* sql<Row>`SELECT * FROM profits ORDER BY returned DESC LIMIT 1`,
      ({ returned }) => `${number(Math.round(returned))} dollars for each one spent`
    ),
    told(
      "most divided",
      yield* sql<Row>`SELECT * FROM profits ORDER BY abs(disagreement) DESC LIMIT 1`,
      ({ audience, critics }) => `${critics} of 100 from the critics, ${audience} from the audience`
    )
  ].flat()
})

const count = (n: number): string => number(n).padStart(9)

const decades = "SELECT year/10*10 AS decade, count(*) AS films, sum(profit) AS profit FROM profits GROUP BY 1"

export const report = Effect.fnUntraced(function*(summary: Outcome.Summary, folder: string) {
  yield* Console.log(
    [
      "",
      `Done in ${Duration.toSeconds(summary.duration).toFixed(1)} seconds.`,
      `${count(summary.fetched)}  fetched`,
      `${count(summary.succeeded)}  succeeded`,
      `${count(summary.deadLettered)}  dead-lettered`,
      `${count(summary.retries)}  retries, because the service was busy`,
      "",
      "Dead letters so far, by reason:",
      ...yield* reasons,
      "",
      "First among the films, in dollars of 2010:",
      ...yield* firsts,
      "",
      "Where it is:",
      `  ${folder}/movies.db      table profits, each film once; table dead_films, the dead letters`,
      `  ${folder}/profits.jsonl  the same profits as lines; after a kill some are there twice (at-least-once)`,
      "",
      "What to try:",
      "  npm run demo             does no work twice",
      "  npm run demo -- --fresh  starts over; press Ctrl-C in the middle, or kill -9 it, and run it again",
      `  npx node -e 'console.table(new (require("node:sqlite").DatabaseSync)("${folder}/movies.db")` +
      `.prepare("${decades}").all())'`
    ].join("\n")
  )
})

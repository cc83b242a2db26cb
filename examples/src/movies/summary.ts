/**
 * What a run did, what came out of it, and what to try next.
 */
import type { Outcome } from "@ergon/core"
import { Database } from "@ergon/sql"
import { Console, Duration, Effect } from "effect"
import { number } from "./progress.ts"

const padded = (n: number): string => number(n).padStart(7)

/** The dead letters of this run and of those before, by reason: all are in the table. */
const reasons = Effect.gen(function*() {
  const { sql } = yield* Database.Database
  const rows = yield* sql<{ readonly reason: string; readonly films: number; readonly id: string }>`
    SELECT reason, count(*) AS films, min(id) AS id FROM dead_films GROUP BY reason ORDER BY films DESC`
  return rows.map(({ films, id, reason }) => `  ${padded(films)}  ${reason.split("\n")[0]}\n           ${id}`)
})

const highlights = Effect.gen(function*() {
  const { sql } = yield* Database.Database
  const best = yield* sql<{ readonly title: string; readonly year: number; readonly returned: number }>`
    SELECT title, year, returned FROM profits WHERE budget >= 1e6 ORDER BY returned DESC LIMIT 3`
  const split = yield* sql<{ readonly title: string; readonly critics: number; readonly audience: number }>`
    SELECT title, critics, audience FROM profits ORDER BY abs(disagreement) DESC LIMIT 1`
  return [
    ...best.map(({ returned, title, year }) => `  ${title} (${year}) made ${returned} dollars of each one spent`),
    ...split.map(({ audience, critics, title }) =>
      `  ${title}: ${critics} of 100 by critics, ${audience} by the audience`
    )
  ]
})

export const report = (summary: Outcome.Summary, folder: string) =>
  Effect.gen(function*() {
    const lines = [
      "",
      `Done in ${(Duration.toMillis(summary.duration) / 1000).toFixed(1)} seconds.`,
      "",
      `  ${padded(summary.fetched)}  fetched`,
      `  ${padded(summary.succeeded)}  succeeded`,
      `  ${padded(summary.deadLettered)}  dead-lettered`,
      `  ${padded(summary.retries)}  retries: the service was busy`,
      "",
      "Dead letters, by reason, each with an example:",
      ...yield* reasons,
      "",
      "Worth knowing, in dollars of 2010:",
      ...yield* highlights,
      "",
      "Where it is:",
      `  ${folder}/movies.db       table profits: each film once; table dead_films: the dead letters`,
      `  ${folder}/profits.jsonl   the same profits, one JSON object per line; after a kill some may be there twice`,
      "",
      "What to try:",
      "  npm run demo              does no work twice",
      "  npm run demo -- --fresh   starts over; press Ctrl-C in the middle, or kill -9, and run it again",
      `  node -e 'console.table(new (require("node:sqlite").DatabaseSync)("${folder}/movies.db").prepare(` +
      `"SELECT year / 10 * 10 AS decade, count(*) AS films, sum(profit) AS profit FROM profits GROUP BY 1").all())'`
    ]
    yield* Console.log(lines.join("\n"))
  })

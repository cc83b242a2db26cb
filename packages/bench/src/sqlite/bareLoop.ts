/**
 * The floor: the statements of the queue on `node:sqlite` itself, 64 rows at a time, with the same encoding and
 * decoding. No lease is extended, nothing is retried, and a failure ends it.
 */
import { Effect, Schema } from "effect"
import { DatabaseSync } from "node:sqlite"
import { encoded, Payload } from "../engine/payload.ts"
import type { Statements } from "./statements.ts"

export const batch = 64

/** Whole batches only: one statement inserts one. */
const inBatches = function*<A>(values: Iterable<A>) {
  let next: Array<A> = []
  for (const value of values) {
    next.push(value)
    if (next.length === batch) {
      yield next
      next = []
    }
  }
}

export const bareLoop = (
  statements: Statements,
  filename: string,
  count: number
): { readonly enqueue: number; readonly consume: number } => {
  const database = new DatabaseSync(filename)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
  for (const statement of statements.create) database.exec(statement)
  const encode = Schema.encodeUnknownSync(Schema.toCodecJson(Payload))
  const decode = Schema.decodeUnknownSync(Schema.toCodecJson(Payload))

  const insert = database.prepare(statements.enqueue)
  let started = performance.now()
  for (const rows of inBatches(encoded(count))) {
    const now = Date.now()
    const params: Array<string | number | null> = []
    for (const { id, metadata, payload } of rows) {
      params.push(id, "ready", 0, now, null, null, JSON.stringify(encode(payload)), JSON.stringify(metadata))
    }
    insert.run(...params)
  }
  const enqueue = performance.now() - started

  const claim = database.prepare(statements.claim)
  const ack = database.prepare(statements.ack)
  started = performance.now()
  for (;;) {
    const now = Date.now()
    const rows = claim.all(now + 60_000, batch)
    if (rows.length === 0) break
    for (const { metadata, payload } of rows) {
      JSON.parse(String(metadata))
      decode(JSON.parse(String(payload)))
      Effect.runSync(Effect.void)
    }
    ack.run(now + 7 * 86_400_000, JSON.stringify(rows.map(({ claim, seq }) => [seq, claim])))
  }
  const consume = performance.now() - started
  database.close()
  return { enqueue: enqueue * 1000 / count, consume: consume * 1000 / count }
}

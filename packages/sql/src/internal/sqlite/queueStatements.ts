/**
 * The SQL of a queue, for SQLite; `queueTable.ts` of the queue says what each is to do.
 *
 * A batch is one statement. Settlements come as one JSON array of [seq, claim] pairs, so that one prepared statement
 * serves batches of every size; enqueued rows come as VALUES, which is faster than taking payloads apart again.
 */

const claimed = "RETURNING seq, id, payload, metadata, key, deliveries, claim, priority, since"
const pairs = "FROM json_each(?) AS pair WHERE q.seq = pair.value ->> 0 AND q.claim = pair.value ->> 1"

export interface Statements {
  readonly create: ReadonlyArray<string>
  readonly enqueue: (rows: number) => string
  readonly takeBack: (rows: number) => string
  readonly block: string
  readonly unblock: string
  readonly claim: string
  readonly claimId: string
  readonly wakeDue: string
  readonly nextDue: string
  readonly ack: string
  readonly requeue: string
  readonly delay: string
  readonly release: string
  readonly giveBack: string
  readonly bury: string
  readonly extend: string
  readonly missing: string
  readonly count: string
  readonly forget: string
  readonly piece: string
  readonly anywhere: string
  readonly letters: string
  readonly lettersOf: string
  readonly putBack: string
  readonly removeLetters: string
}

// A partial index serves only statements that repeat its condition as it stands.
const live = (alias?: string): string => {
  const state = alias === undefined ? "state" : `${alias}.state`
  return `${state} <> 'done' AND ${state} <> 'dead'`
}

export const make = (table: string): Statements => {
  const q = `"${table}"`
  const name = (suffix: string) => `"${table}_${suffix}"`
  // An id that is there already changes nothing, unless its row is one that `again` names: then it arrives anew, behind
  // everything. The sub-select names the row, so that it is asked again for each one.
  const insert = (rows: number, again: string): string =>
    `INSERT INTO ${q} (id, state, priority, since, until, key, payload, metadata)
       VALUES ${Array.from({ length: rows }, () => "(?, ?, ?, ?, ?, ?, ?, ?)").join(", ")}
       ON CONFLICT (id) DO UPDATE SET seq = (SELECT max(m.seq) + 1 FROM ${q} AS m WHERE m.seq >= ${q}.seq), state = excluded.state,
         priority = excluded.priority, since = excluded.since, until = excluded.until, key = excluded.key,
         deliveries = 0, payload = excluded.payload, metadata = excluded.metadata, reason = NULL, letter = NULL
       WHERE ${again}`
  const letter = "seq, claim, id, payload, metadata, reason, letter, deliveries, since"
  return {
    create: [
      `CREATE TABLE ${q} (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('ready', 'blocked', 'leased', 'delayed', 'done', 'dead')),
        priority INTEGER NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER,
        key TEXT,
        deliveries INTEGER NOT NULL DEFAULT 0,
        claim INTEGER NOT NULL DEFAULT 0,
        payload TEXT,
        metadata TEXT,
        reason TEXT,
        letter TEXT
      ) STRICT`,
      // Partial indices: a message is in at most two of them, and what is done is in none.
      `CREATE INDEX ${name("ready")} ON ${q} (priority DESC, since) WHERE state = 'ready'`,
      `CREATE INDEX ${name("until")} ON ${q} (until, state) WHERE state IN ('leased', 'delayed')`,
      `CREATE INDEX ${name("key")} ON ${q} (key, state) WHERE key IS NOT NULL AND ${live()}`,
      `CREATE INDEX ${name("dead")} ON ${q} (since) WHERE state = 'dead'`
    ],
    enqueue: (rows) => insert(rows, "state = 'done' AND until <= excluded.since"),
    takeBack: (rows) => insert(rows, "state = 'done' OR state = 'dead'"),
    // Only the first live message of a key is ready; the others wait for it. `?`: the keys, as a JSON array.
    block: `UPDATE ${q} AS m INDEXED BY ${name("key")} SET state = 'blocked'
      WHERE m.key IN (SELECT value FROM json_each(?)) AND m.state IN ('ready', 'delayed') AND ${live("m")}
        AND EXISTS (SELECT 1 FROM ${q} AS e INDEXED BY ${name("key")}
          WHERE e.key = m.key AND e.state IN ('ready', 'delayed', 'leased') AND ${live("e")}
            AND e.seq <> m.seq AND (e.state = 'leased' OR e.seq < m.seq))`,
    unblock: `UPDATE ${q} AS m SET state = CASE WHEN until > ? THEN 'delayed' ELSE 'ready' END,
        since = max(since, coalesce(until, since))
      WHERE m.seq IN (SELECT (SELECT b.seq FROM ${q} AS b INDEXED BY ${name("key")}
            WHERE b.key = k.value AND b.state = 'blocked' AND ${live("b")} ORDER BY b.seq LIMIT 1)
          FROM json_each(?) AS k WHERE NOT EXISTS (SELECT 1 FROM ${q} AS e INDEXED BY ${name("key")}
            WHERE e.key = k.value AND e.state IN ('ready', 'delayed', 'leased') AND ${live("e")}))`,
    claim: `UPDATE ${q} SET state = 'leased', until = ?, claim = claim + 1
      WHERE seq IN (SELECT seq FROM ${q} WHERE state = 'ready' ORDER BY priority DESC, since, seq LIMIT ?) ${claimed}`,
    claimId: `UPDATE ${q} AS m SET state = 'leased', since = max(since, coalesce(until, since)), until = ?,
        claim = claim + 1
      WHERE id = ? AND (state IN ('ready', 'delayed') OR (state = 'blocked' AND NOT EXISTS (
        SELECT 1 FROM ${q} AS e INDEXED BY ${name("key")}
        WHERE e.key = m.key AND e.state = 'leased' AND ${live("e")}))) ${claimed}`,
    wakeDue: `UPDATE ${q} SET state = 'ready', since = CASE state WHEN 'delayed' THEN until ELSE since END,
        deliveries = deliveries + (state = 'leased'), until = NULL
      WHERE seq IN (SELECT seq FROM ${q} WHERE state IN ('leased', 'delayed') AND until <= ? ORDER BY until LIMIT ?)`,
    nextDue: `SELECT min(until) AS due FROM ${q} WHERE state IN ('leased', 'delayed')`,
    ack: `UPDATE ${q} AS q SET state = 'done', until = ?, payload = NULL, metadata = NULL
      ${pairs} AND q.state = 'leased'`,
    requeue: `UPDATE ${q} AS q SET state = 'ready', until = NULL, since = ?, deliveries = deliveries + 1
      ${pairs} AND q.state = 'leased'`,
    delay: `UPDATE ${q} AS q SET state = 'delayed', until = pair.value ->> 2, deliveries = deliveries + 1
      ${pairs} AND q.state = 'leased'`,
    release: `UPDATE ${q} AS q SET state = 'ready', until = NULL ${pairs} AND q.state = 'leased'`,
    giveBack: `UPDATE ${q} AS q SET state = 'ready', until = NULL, deliveries = deliveries + 1
      ${pairs} AND q.state = 'leased'`,
    bury: `UPDATE ${q} AS q SET state = 'dead', since = ?, until = NULL, reason = pair.value ->> 2,
        letter = pair.value ->> 3
      ${pairs} AND q.state = 'leased'`,
    extend: `UPDATE ${q} AS q SET until = ? ${pairs} AND q.state = 'leased'`,
    // Which of the pairs are not in the state that a settlement should have put them in.
    missing: `SELECT pair.key AS place FROM json_each(?) AS pair LEFT JOIN ${q} AS q
        ON q.seq = pair.value ->> 0 AND q.claim = pair.value ->> 1 AND q.state = ?
      WHERE q.seq IS NULL`,
    count: `SELECT
        (SELECT count(*) FROM ${q} WHERE state = 'ready')
          + (SELECT count(*) FROM ${q} AS b WHERE b.key IS NOT NULL AND b.state = 'blocked' AND ${live("b")})
          AS ready,
        (SELECT count(*) FROM ${q} WHERE state IN ('leased', 'delayed') AND state = 'leased') AS inFlight,
        (SELECT count(*) FROM ${q} WHERE state IN ('leased', 'delayed') AND state = 'delayed') AS delayed`,
    // Walks the table in pieces: `done` rows are in no index, and a walk finds them all in time.
    forget: `DELETE FROM ${q} WHERE seq > ? AND seq <= ? AND state = 'done' AND until <= ?`,
    piece: `SELECT max(seq) AS last, count(*) AS count FROM (SELECT seq FROM ${q} WHERE seq > ? ORDER BY seq LIMIT ?)`,
    anywhere: `SELECT abs(random() % (coalesce(max(seq), 0) + 1)) AS seq FROM ${q}`,
    letters: `SELECT ${letter} FROM ${q} WHERE state = 'dead' AND (since, seq) > (?, ?) ORDER BY since, seq LIMIT ?`,
    lettersOf: `SELECT ${letter} FROM ${q} WHERE id = ? AND state = 'dead'`,
    putBack: `UPDATE ${q} AS q SET state = 'ready', since = ?, deliveries = 0, reason = NULL, letter = NULL
      ${pairs} AND q.state = 'dead' RETURNING seq, claim, key`,
    removeLetters: `DELETE FROM ${q} WHERE seq IN (SELECT q.seq FROM json_each(?) AS pair CROSS JOIN ${q} AS q
        WHERE q.seq = pair.value ->> 0 AND q.claim = pair.value ->> 1 AND q.state = 'dead')`
  }
}

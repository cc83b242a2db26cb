/**
 * The SQL of a queue in MariaDB and MySQL. See `queueTable.ts` of the queue for the states of a message.
 *
 * Neither has partial indices nor an UPDATE that returns rows. What a batch names comes as one JSON array, joined as a
 * table that is read first, so that one prepared statement serves batches of every size and rows are locked by their
 * primary key alone.
 */
import { type Flavor, longestId, quoted } from "./names.ts"

/** Of keys that transactions lock: those of one slot wait for each other. */
export const slots = 64

export const make = (table: string, { collation }: Flavor) => {
  const q = quoted(table)
  const row = "seq, id, payload, metadata, `key`, deliveries, claim, priority, since"
  const letter = "seq, claim, id, payload, metadata, reason, letter, deliveries, since"
  const pairs = (more = "") =>
    `JSON_TABLE(?, '$[*]' COLUMNS (place FOR ORDINALITY, seq BIGINT PATH '$[0]', claim BIGINT PATH '$[1]'${more})) AS p`
  const held = `ON q.seq = p.seq AND q.claim = p.claim`
  const settle = (set: string, more?: string, from = "leased") =>
    `UPDATE ${pairs(more)} STRAIGHT_JOIN ${q} AS q ${held} SET ${set} WHERE q.state = '${from}'`
  const keys =
    `JSON_TABLE(?, '$[*]' COLUMNS (k VARCHAR(${longestId}) CHARACTER SET utf8mb4 COLLATE ${collation} PATH '$')) AS k`
  const living = "'ready', 'delayed', 'leased'"
  return {
    versions: [[
      `CREATE TABLE IF NOT EXISTS ergon_locks (
        name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE ${collation} NOT NULL,
        slot SMALLINT NOT NULL,
        PRIMARY KEY (name, slot)
      ) ENGINE = InnoDB`,
      `INSERT INTO ergon_locks (name, slot) VALUES ${
        Array.from({ length: slots }, (_, slot) => `('${table}', ${slot})`).join(", ")
      } ON DUPLICATE KEY UPDATE slot = VALUES(slot)`,
      `CREATE TABLE IF NOT EXISTS ${q} (
        seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        id VARCHAR(${longestId}) NOT NULL,
        state ENUM('ready', 'blocked', 'leased', 'delayed', 'done', 'dead') NOT NULL,
        priority BIGINT NOT NULL,
        since BIGINT NOT NULL,
        until BIGINT,
        \`key\` VARCHAR(${longestId}),
        deliveries BIGINT NOT NULL DEFAULT 0,
        claim BIGINT NOT NULL DEFAULT 0,
        payload LONGTEXT,
        metadata LONGTEXT,
        reason LONGTEXT,
        letter LONGTEXT,
        UNIQUE KEY id (id),
        KEY ready (state, priority DESC, since, seq),
        KEY due (state, until),
        KEY lane (\`key\`, state, seq),
        KEY dead (state, since, seq)
      ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE ${collation} COMMENT = '${madeByUs}'`
    ]],
    // What is there already stays as it is, and is not counted.
    enqueue: (rows: number) =>
      `INSERT INTO ${q} (id, state, priority, since, until, \`key\`, payload, metadata)
        VALUES ${Array.from({ length: rows }, () => "(?, ?, ?, ?, ?, ?, ?, ?)").join(", ")}
        ON DUPLICATE KEY UPDATE seq = seq`,
    // Locks nothing: who enqueues does not wait for what is in flight.
    anyExpired: `SELECT 1 FROM ${ids(collation)} STRAIGHT_JOIN ${q} AS q ON q.id = i.id
      WHERE q.state = 'done' AND q.until <= ? LIMIT 1`,
    forgetExpired: `DELETE q FROM ${ids(collation)} STRAIGHT_JOIN ${q} AS q ON q.id = i.id
      WHERE q.state = 'done' AND q.until <= ?`,
    forgetEnded: `DELETE q FROM ${
      ids(collation)
    } STRAIGHT_JOIN ${q} AS q ON q.id = i.id WHERE q.state IN ('done', 'dead')`,
    // One statement that locks in one order: who needs the same keys waits here, and nobody waits for nobody.
    lockKeys: (count: number) =>
      `SELECT slot FROM ergon_locks WHERE name = ? AND slot IN (${Array.from({ length: count }, () => "?").join(", ")})
        ORDER BY slot FOR UPDATE`,
    // A claim that is on its way has its row locked: it is waited for.
    lockLanes: `SELECT q.seq FROM ${keys} STRAIGHT_JOIN ${q} AS q FORCE INDEX (lane) ON q.\`key\` = k.k
      AND q.state IN (${living}) FOR UPDATE`,
    block: `UPDATE (SELECT e.\`key\` AS k, MAX(e.state = 'leased') AS busy,
          MIN(CASE WHEN e.state <> 'leased' THEN e.seq END) AS first
        FROM ${keys} STRAIGHT_JOIN ${q} AS e FORCE INDEX (lane) ON e.\`key\` = k.k AND e.state IN (${living})
        GROUP BY e.\`key\`) AS f
      STRAIGHT_JOIN ${q} AS m FORCE INDEX (lane) ON m.\`key\` = f.k AND m.state IN ('ready', 'delayed')
      SET m.state = 'blocked' WHERE f.busy OR m.seq > f.first`,
    unblock:
      `UPDATE (SELECT MAX(e.state <> 'blocked') AS busy, MIN(CASE WHEN e.state = 'blocked' THEN e.seq END) AS first
        FROM ${keys} STRAIGHT_JOIN ${q} AS e FORCE INDEX (lane)
          ON e.\`key\` = k.k AND e.state IN (${living}, 'blocked')
        GROUP BY e.\`key\`) AS f
      STRAIGHT_JOIN ${q} AS m ON m.seq = f.first
      SET m.since = GREATEST(m.since, COALESCE(m.until, m.since)), m.state = IF(m.until > ?, 'delayed', 'ready')
      WHERE f.busy = 0`,
    claim: `SELECT ${row} FROM ${q} FORCE INDEX (ready) WHERE state = 'ready'
      ORDER BY priority DESC, since, seq LIMIT ? FOR UPDATE SKIP LOCKED`,
    claimed: settle("q.state = 'leased', q.until = ?, q.claim = q.claim + 1", "", "ready"),
    one: `SELECT ${row}, state, until FROM ${q} WHERE id = ? AND state IN ('ready', 'delayed', 'blocked') FOR UPDATE`,
    busy: `SELECT 1 FROM ${q} WHERE \`key\` = ? AND state = 'leased' LIMIT 1`,
    claimOne: `UPDATE ${q} SET state = 'leased', since = ?, until = ?, claim = claim + 1 WHERE seq = ?`,
    due: `SELECT seq FROM ${q} FORCE INDEX (due) WHERE state = ? AND until <= ? ORDER BY until LIMIT ?`,
    wake: `UPDATE JSON_TABLE(?, '$[*]' COLUMNS (seq BIGINT PATH '$')) AS p STRAIGHT_JOIN ${q} AS q ON q.seq = p.seq
      SET q.since = IF(q.state = 'delayed', q.until, q.since), q.deliveries = q.deliveries + (q.state = 'leased'),
        q.until = NULL, q.state = 'ready'
      WHERE q.state IN ('leased', 'delayed') AND q.until <= ?`,
    nextDue: `SELECT MIN(until) AS due FROM (
      (SELECT MIN(until) AS until FROM ${q} WHERE state = 'leased')
      UNION ALL (SELECT MIN(until) AS until FROM ${q} WHERE state = 'delayed')) AS d`,
    ack: settle("q.state = 'done', q.until = ?, q.payload = NULL, q.metadata = NULL"),
    requeue: settle("q.state = 'ready', q.until = NULL, q.since = ?, q.deliveries = q.deliveries + 1"),
    delay: settle(
      "q.state = 'delayed', q.until = p.until, q.deliveries = q.deliveries + 1",
      ", until BIGINT PATH '$[2]'"
    ),
    release: settle("q.state = 'ready', q.until = NULL"),
    giveBack: settle("q.state = 'ready', q.until = NULL, q.deliveries = q.deliveries + 1"),
    bury: settle(
      "q.state = 'dead', q.since = ?, q.until = NULL, q.reason = p.reason, q.letter = p.letter",
      ", reason LONGTEXT PATH '$[2]', letter LONGTEXT PATH '$[3]'"
    ),
    extend: settle("q.until = ?"),
    // Which of the pairs are not in the state that a settlement should have put them in.
    missing: `SELECT p.place FROM ${pairs()} LEFT JOIN ${q} AS q ${held} AND q.state = ? WHERE q.seq IS NULL`,
    count: `SELECT
      (SELECT COUNT(*) FROM ${q} WHERE state IN ('ready', 'blocked')) AS ready,
      (SELECT COUNT(*) FROM ${q} WHERE state = 'leased') AS inFlight,
      (SELECT COUNT(*) FROM ${q} WHERE state = 'delayed') AS \`delayed\``,
    forget: `DELETE FROM ${q} WHERE seq > ? AND seq <= ? AND state = 'done' AND until <= ?`,
    piece:
      `SELECT MAX(seq) AS last, COUNT(*) AS count FROM (SELECT seq FROM ${q} WHERE seq > ? ORDER BY seq LIMIT ?) AS w`,
    anywhere: `SELECT FLOOR(RAND() * (COALESCE(MAX(seq), 0) + 1)) AS seq FROM ${q}`,
    letters: `SELECT ${letter} FROM ${q} FORCE INDEX (dead)
      WHERE state = 'dead' AND since >= ? AND (since > ? OR seq > ?) ORDER BY since, seq LIMIT ?`,
    lettersOf: `SELECT ${letter} FROM ${q} WHERE id = ? AND state = 'dead'`,
    lockLetters: `SELECT q.seq, q.claim, q.\`key\` FROM ${pairs()} STRAIGHT_JOIN ${q} AS q ${held}
      WHERE q.state = 'dead' FOR UPDATE`,
    putBack: settle("q.state = 'ready', q.since = ?, q.deliveries = 0, q.reason = NULL, q.letter = NULL", "", "dead"),
    removeLetters: `DELETE q FROM ${pairs()} STRAIGHT_JOIN ${q} AS q ${held} WHERE q.state = 'dead'`,
    anything: `SELECT EXISTS (SELECT 1 FROM ${q} WHERE state = 'ready')
      OR EXISTS (SELECT 1 FROM ${q} WHERE state = 'leased' AND until <= ?)
      OR EXISTS (SELECT 1 FROM ${q} WHERE state = 'delayed' AND until <= ?) AS there`
  }
}

const ids = (collation: string) =>
  `JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(${longestId}) CHARACTER SET utf8mb4 COLLATE ${collation} PATH '$')) AS i`

/** In the comment of a table: one of ours that is not in the catalogue yet was not finished. */
export const madeByUs = "a queue of @ergon/sql"

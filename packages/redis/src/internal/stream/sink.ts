/**
 * The sink side of a stream: an entry for each transaction, all of a batch in one round trip. A transaction is confirmed
 * once the server has answered for it.
 */
import { type Connector, ConnectorError, Reason, type Transaction } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { RedisError } from "../../RedisError.ts"
import type { Connection } from "../client/connection.ts"
import { fieldsOf } from "./entry.ts"
import { run } from "./group.ts"
import { addUnique } from "./scripts/adding.ts"
import { closed } from "./source.ts"

export interface SinkOptions {
  readonly stream: string
  readonly ids: string
  /** Milliseconds that an id is kept after its end; `undefined` where an id may come several times. */
  readonly unique: number | undefined
}

// Transactions of one script: the server does nothing else meanwhile.
const most = 200

interface Sorted {
  readonly rows: ReadonlyArray<{ readonly index: number; readonly fields: ReadonlyArray<string> }>
  readonly failed: Array<ConnectorError.Failed>
}

const sorted = (transactions: ReadonlyArray<Transaction.Transaction<unknown>>): Sorted => {
  const failed: Array<ConnectorError.Failed> = []
  const rows: Array<Sorted["rows"][number]> = []
  transactions.forEach((transaction, index) => {
    const fields = fieldsOf(transaction)
    if (typeof fields !== "string") return void rows.push({ index, fields })
    failed.push({ index, reason: new Reason.InvalidRequest({ message: `"${transaction.id}": ${fields}` }) })
  })
  return { rows, failed }
}

type Outcome = Result.Result<unknown, RedisError>

/** Writes what can be written and names the others, each with its own reason. */
const writing = (
  { failed, rows }: Sorted,
  write: (fields: ReadonlyArray<ReadonlyArray<string>>) => Effect.Effect<ReadonlyArray<Outcome>>
): Effect.Effect<ReadonlyArray<ConnectorError.Failed>> =>
  rows.length === 0 ? Effect.succeed(failed) : Effect.map(write(rows.map(({ fields }) => fields)), (outcomes) => {
    rows.forEach(({ index }, place) => {
      const outcome = outcomes[place]
      if (outcome !== undefined && Result.isFailure(outcome)) failed.push({ index, reason: outcome.failure.reason })
    })
    return failed
  })

/** Writes in parts, each of which is written as a whole or not at all. */
const inParts =
  (write: (fields: ReadonlyArray<ReadonlyArray<string>>) => Effect.Effect<unknown, RedisError>) =>
  (all: ReadonlyArray<ReadonlyArray<string>>): Effect.Effect<ReadonlyArray<Outcome>> =>
    Effect.map(
      Effect.forEach(
        Array.from({ length: Math.ceil(all.length / most) }, (_, n) => all.slice(n * most, (n + 1) * most)),
        (part) => Effect.map(Effect.result(write(part)), (outcome) => part.map(() => outcome)),
        { concurrency: "unbounded" }
      ),
      (outcomes) => outcomes.flat()
    )

export const openSink = (
  connection: Connection,
  { ids, stream, unique }: SinkOptions
): Effect.Effect<Connector.SinkService, never, Scope.Scope> =>
  Effect.gen(function*() {
    let isClosed = false
    yield* Effect.addFinalizer(() => Effect.sync(() => void (isClosed = true)))
    const write = unique === undefined
      ? (all: ReadonlyArray<ReadonlyArray<string>>) =>
        connection.sendAll(all.map((fields) => ["XADD", stream, "*", ...fields]))
      : inParts((part) =>
        run(connection, addUnique, [stream, ids], [
          String(unique),
          "0",
          ...part.flatMap((fields) => [String(fields.length), ...fields])
        ])
      )
    return {
      format: "json",
      dispatch: (transactions) =>
        Effect.suspend(() => {
          if (isClosed) return Effect.fail(new ConnectorError.DispatchError({ reason: closed }))
          return Effect.flatMap(writing(sorted(transactions), write), (failed) =>
            failed[0] === undefined
              ? Effect.void
              : Effect.fail(new ConnectorError.DispatchError({ reason: failed[0].reason, failed })))
        }),
      health: Effect.suspend(() =>
        isClosed
          ? Effect.fail(new ConnectorError.DispatchError({ reason: closed }))
          : Effect.mapError(
            Effect.asVoid(connection.send(["PING"])),
            ({ reason }) => new ConnectorError.DispatchError({ reason })
          )
      )
    }
  })

/** How a source takes back what was given up elsewhere: once, until it has ended again. */
export const takeBackBy = (
  takeBack: (transactions: ReadonlyArray<ReadonlyArray<string>>) => Effect.Effect<void, RedisError>
): NonNullable<Connector.SourceService["takeBack"]> =>
(transactions) =>
  Effect.flatMap(
    Effect.suspend(() => writing(sorted(transactions), inParts(takeBack))),
    (failed) =>
      failed[0] === undefined
        ? Effect.void
        : Effect.fail(new ConnectorError.LettersError({ reason: failed[0].reason, failed }))
  )

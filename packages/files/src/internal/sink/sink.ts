/**
 * A sink that appends records to one file.
 *
 * A dispatch waits for the one before it, then turns its batch into one text, writes it and flushes it to the disk. That
 * last part is uninterruptible: an interrupted dispatch either has not begun or has come to its end, so a half-written
 * batch is never left to the next one. Worst case: what the disk takes for one write and one flush; nothing in Node can
 * cut a system call short. Closing waits up to 5 seconds for a write in flight.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Format, SinkService } from "@ergon/core/Connector"
import { DispatchError, type Failed } from "@ergon/core/ConnectorError"
import { InvalidRequest, type Reason } from "@ergon/core/Reason"
import type { Transaction } from "@ergon/core/Transaction"
import { ioReason } from "../ioReason.ts"
import { AppendFile } from "./appendFile.ts"
import { type Layout, Mismatch } from "./layout.ts"
import { Locked } from "../lock.ts"
import { type Recorder, Unfit } from "./record.ts"

export interface Options {
  readonly path: string
  readonly format: Format
  readonly layout: Layout
  readonly record: Recorder
}

const closed = new DispatchError({ reason: new InvalidRequest({ message: "the connector is closed" }) })

const closeWithin = Duration.seconds(5)

const reasonOf = (what: string, error: unknown): Reason =>
  error instanceof Locked || error instanceof Mismatch
    ? new InvalidRequest({ message: error.message })
    : ioReason(what, error)

interface Batch {
  readonly text: string
  readonly failed: ReadonlyArray<Failed>
}

const batchOf = (transactions: ReadonlyArray<Transaction<unknown>>, record: Recorder, path: string): Batch => {
  const failed: Array<Failed> = []
  let text = ""
  transactions.forEach((transaction, index) => {
    try {
      text += record(transaction)
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      const message = `"${transaction.id}" cannot be written to "${path}": ${error.message}`
      failed.push({ index, reason: new InvalidRequest({ message }) })
    }
  })
  return { text, failed }
}

const namingThoseThatFailed = (failed: ReadonlyArray<Failed>): Effect.Effect<void, DispatchError> =>
  failed[0] === undefined ? Effect.void : Effect.fail(new DispatchError({ reason: failed[0].reason, failed }))

/** Opens the file for as long as the scope is open. Fails when the file cannot be written or has another writer. */
export const appendSink = (options: Options): Effect.Effect<SinkService, DispatchError, Scope.Scope> =>
  Effect.gen(function*() {
    const { format, layout, path, record } = options
    const warnings: Array<string> = []
    const warned = Effect.suspend(() =>
      Effect.forEach(warnings.splice(0), (message) => Effect.logWarning(message), { discard: true })
    )
    const mutex = yield* Semaphore.make(1)
    let open = true

    const file = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () => AppendFile.open(path, layout, (message) => warnings.push(message)),
        catch: (error) => new DispatchError({ reason: reasonOf(`cannot open "${path}"`, error) })
      }),
      (file) =>
        Effect.suspend(() => {
          open = false
          const written = Effect.interruptible(mutex.withPermits(1)(Effect.void))
          return Effect.timeoutOption(written, closeWithin).pipe(
            Effect.andThen(Effect.tryPromise(() => file.close())),
            Effect.catch((error) => Effect.logWarning(`closing "${path}" failed`, error))
          )
        })
    )
    yield* warned

    const write = (text: string) =>
      Effect.uninterruptible(
        Effect.tryPromise({
          try: () => file.append(Buffer.from(text)),
          catch: (error) => new DispatchError({ reason: reasonOf(`cannot write to "${path}"`, error) })
        })
      )

    const service: SinkService = {
      format,
      dispatch: (transactions) =>
        mutex.withPermits(1)(
          Effect.suspend(() => {
            if (!open) return Effect.fail(closed)
            const { failed, text } = batchOf(transactions, record, path)
            return Effect.andThen(
              text === "" ? Effect.void : Effect.ensuring(write(text), warned),
              namingThoseThatFailed(failed)
            )
          })
        )
    }
    return service
  })

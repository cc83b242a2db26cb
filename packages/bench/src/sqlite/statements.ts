/**
 * The statements that the queue really runs, read off the spans of a small run: the floor executes the same texts.
 */
import { Connector, Disposition, Transaction } from "@ergon/core"
import { Sql, Sqlite } from "@ergon/sql"
import { Duration, Effect, Layer, Schema, Tracer } from "effect"

class Queued extends Connector.Queue<Queued>()("payloads", Schema.Unknown) {}

export interface Statements {
  readonly create: ReadonlyArray<string>
  readonly enqueue: string
  readonly claim: string
  readonly ack: string
}

/** The statements of a batch of `size`. */
export const statements = async (size: number): Promise<Statements> => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const batch = Array.from({ length: size }, (_, n) => Transaction.make(`${n}`, n))
  const once = Effect.gen(function*() {
    const { sink, source } = yield* Queued
    yield* sink.dispatch(batch)
    const deliveries = yield* source.fetch({ max: size, wait: Duration.zero })
    yield* source.settle(deliveries.map((delivery) => Disposition.settlement(delivery, Disposition.ack)))
  })
  const layer = Sql.queue(Queued).pipe(Layer.provide(Sqlite.layer({ filename: ":memory:" })))
  await Effect.runPromise(once.pipe(Effect.provide(layer), Effect.withTracer(tracer)))

  const texts = spans.map((span) => span.attributes.get("db.query.text")).filter((text) => typeof text === "string")
  const the = (pattern: RegExp): string => {
    const text = texts.find((text) => pattern.test(text))
    if (text === undefined) throw new Error(`no statement like ${pattern.source} among:\n${texts.join("\n")}`)
    return text
  }
  return {
    create: texts.filter((text) => /^CREATE (TABLE|INDEX) "payloads/.test(text)),
    enqueue: the(/^INSERT INTO "payloads"/),
    claim: the(/^UPDATE "payloads" SET state = 'leased'/),
    ack: the(/^UPDATE "payloads" AS q SET state = 'done'/)
  }
}

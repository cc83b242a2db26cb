/**
 * What the laws are written in: one storage under one check, time that passes in the harness's way, and small words for
 * fetching, settling and expecting.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { FetchRequest, SourceService } from "../../Connector.ts"
import type { FetchError, SettleError } from "../../ConnectorError.ts"
import type { Delivery } from "../../Delivery.ts"
import * as Disposition from "../../Disposition.ts"
import type * as Harness from "../../testing/Harness.ts"
import * as Transaction from "../../Transaction.ts"

/** What was seen instead of what the law says. */
export class Broken extends Data.TaggedError("Broken")<{ readonly seen: string; readonly cause?: unknown }> {}

export type Check<A> = Effect.Effect<A, Broken, Scope.Scope>

export const broken = (seen: string, cause?: unknown): Effect.Effect<never, Broken> =>
  Effect.fail(new Broken({ seen, cause }))

export const expect = (holds: boolean, otherwise: () => string): Effect.Effect<void, Broken> =>
  holds ? Effect.void : Effect.suspend(() => broken(otherwise()))

/** Turns whatever an operation fails with into the statement that it failed. */
export const works = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, Broken, R> =>
  Effect.catchCause(effect, (cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.interrupt
      : broken(`${what} failed: ${Cause.prettyErrors(cause).map((error) => error.message).join("; ")}`, cause))

/** How time passes for one harness. */
export class Time {
  readonly patience: number
  readonly quiet: number
  /** A wait that is long enough to see whether something is there. */
  readonly look: number
  private readonly virtual: boolean

  constructor(harness: Harness.Common) {
    this.virtual = harness.time === "test"
    this.patience = Duration.toMillis(Duration.fromInputUnsafe(harness.patience ?? "5 seconds"))
    this.quiet = Duration.toMillis(
      Duration.fromInputUnsafe(harness.quiet ?? (this.virtual ? "5 seconds" : "200 millis"))
    )
    this.look = Math.min(this.virtual ? 1000 : 200, this.patience)
  }

  pass(millis: number): Effect.Effect<void> {
    return this.virtual ? TestClock.adjust(millis) : Effect.sleep(millis)
  }

  /** A moment, for what runs elsewhere to get on: `n` turns of the scheduler, or `n` milliseconds. */
  moment(n: number): Effect.Effect<void> {
    if (!this.virtual) return Effect.sleep(n)
    return Effect.forEach(Array.from({ length: n }), () => Effect.yieldNow, { discard: true })
  }

  /** Runs an effect while time passes; broken unless it ends within `millis`. */
  within<A, E>(what: string, millis: number, effect: Effect.Effect<A, E>): Effect.Effect<A, E | Broken> {
    const { virtual } = this
    return Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(effect)
      const tooLate = Effect.andThen(
        Effect.forkDetach(Fiber.interrupt(fiber)),
        broken(`${what} did not end within ${Duration.format(Duration.millis(millis))}`)
      )
      if (!virtual) {
        const exit = yield* Effect.timeoutOption(Fiber.await(fiber), millis)
        return yield* (exit._tag === "Some" ? exit.value : tooLate)
      }
      const steps = 20
      for (let step = 0; step <= steps; step++) {
        yield* TestClock.adjust(step === 0 ? 0 : millis / steps)
        for (let turn = 0; turn < 10 && fiber.pollUnsafe() === undefined; turn++) yield* Effect.yieldNow
        const exit = fiber.pollUnsafe()
        if (exit !== undefined) return yield* exit
      }
      return yield* tooLate
    })
  }
}

/** One storage of a source under one check. */
export class Trial {
  readonly harness: Harness.Source
  readonly storage: Harness.SourceStorage
  readonly time: Time

  constructor(harness: Harness.Source, storage: Harness.SourceStorage) {
    this.harness = harness
    this.storage = storage
    this.time = new Time(harness)
  }

  /** How long a lease lasts, in milliseconds, where there is one. */
  get lease(): number | undefined {
    const { lease } = this.harness.capabilities
    return lease === undefined ? undefined : Duration.toMillis(lease.duration)
  }

  /** How long to wait for what must come without any lease running out. */
  get soon(): number {
    return this.lease === undefined ? this.time.patience : Math.min(this.time.patience, this.lease / 2)
  }

  get counts(): boolean {
    return this.harness.capabilities.deliveries === "native"
  }

  open(): Check<SourceService> {
    return works("opening a connector", this.storage.open)
  }

  /** A connector in a scope of its own, to be closed by the law. */
  openApart(): Check<{ readonly source: SourceService; readonly close: Effect.Effect<void, Broken> }> {
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
      const source = yield* Scope.provide(this.open(), scope)
      const close = this.time.within("closing the connector", 2 * this.time.patience, Scope.close(scope, Exit.void))
      return { source, close }
    })
  }

  /** The n-th transaction of this trial. */
  transaction(n: number, metadata?: Transaction.Metadata): Transaction.Transaction<unknown> {
    return Transaction.make(`law-${n}`, (this.harness.payload ?? anyJson)(n), metadata)
  }

  transactions(count: number): ReadonlyArray<Transaction.Transaction<unknown>> {
    return Array.from({ length: count }, (_, index) => this.transaction(index + 1))
  }

  enqueue(transactions: ReadonlyArray<Transaction.Transaction<unknown>>): Check<void> {
    return works("enqueueing", this.storage.enqueue(transactions))
  }

  /** An end counts as empty: nothing is there now. */
  fetch(source: SourceService, max: number, wait = this.time.look): Check<ReadonlyArray<Delivery>> {
    const fetched = works("fetching", endIsEmpty(source.fetch(request(max, wait))))
    return Effect.flatMap(
      this.time.within("a fetch", wait + this.time.patience, fetched),
      (deliveries) =>
        Effect.as(
          expect(deliveries.length <= max, () => `a fetch for ${max} handed over ${deliveries.length}`),
          deliveries
        )
    )
  }

  /** Fetches until this many arrived; broken when they do not within `millis`. */
  collect(source: SourceService, count: number, millis = this.soon): Check<ReadonlyArray<Delivery>> {
    return Effect.gen({ self: this }, function*() {
      const deliveries: Array<Delivery> = []
      const look = Math.max(1, Math.min(this.time.look, millis / 5))
      for (let waited = 0; deliveries.length < count; waited += look) {
        if (waited > millis) {
          return yield* broken(
            `of ${count} deliveries ${deliveries.length} arrived within ${Duration.format(Duration.millis(millis))}` +
              (deliveries.length === 0 ? "" : `: ${ids(deliveries).join(", ")}`)
          )
        }
        deliveries.push(...yield* this.fetch(source, count - deliveries.length, look))
      }
      return deliveries
    })
  }

  /** Broken when anything is handed over for a while. */
  quiet(source: SourceService, why: string, millis = this.time.quiet): Check<void> {
    return Effect.flatMap(
      this.fetch(source, 100, millis),
      (deliveries) => expect(deliveries.length === 0, () => `${ids(deliveries).join(", ")} came ${why}`)
    )
  }

  settle(
    source: SourceService,
    deliveries: ReadonlyArray<Delivery>,
    disposition: Disposition.Disposition
  ): Check<void> {
    return works(
      `settling with ${disposition._tag}`,
      this.settleExit(source, deliveries.map((delivery) => Disposition.settlement(delivery, disposition)))
    )
  }

  settleExit(
    source: SourceService,
    settlements: ReadonlyArray<Disposition.Settlement>
  ): Effect.Effect<void, SettleError | Broken> {
    return this.time.within("settling", this.time.patience, source.settle(settlements))
  }

  /** Acknowledges deliveries: each, or the last of each partition. */
  ack(source: SourceService, deliveries: ReadonlyArray<Delivery>): Check<void> {
    if (this.harness.capabilities.settlement !== "watermark") return this.settle(source, deliveries, Disposition.ack)
    const last = new Map(deliveries.map((delivery) => [delivery.partition, delivery]))
    return this.settle(source, [...last.values()], Disposition.ack)
  }

  /** Which of the enqueued transactions a delivery is, by its payload; -1 for none. */
  indexOf(enqueued: ReadonlyArray<Transaction.Transaction<unknown>>, delivery: Delivery): number {
    return enqueued.findIndex(({ payload }) => Equal.equals(payload, delivery.transaction.payload))
  }
}

export const endIsEmpty = (
  fetch: Effect.Effect<ReadonlyArray<Delivery>, FetchError | Cause.Done>
): Effect.Effect<ReadonlyArray<Delivery>, FetchError> =>
  fetch.pipe(Effect.catch((error) => Cause.isDone(error) ? Effect.succeed([]) : Effect.fail(error)))

export const request = (max: number, wait: number): FetchRequest => ({ max, wait: Duration.millis(wait) })

export const ids = (deliveries: ReadonlyArray<Delivery>): ReadonlyArray<string> =>
  deliveries.map(({ transaction }) => transaction.id)

export const distinct = (values: ReadonlyArray<string>): Check<void> => {
  const twice = values.find((value, index) => values.indexOf(value) !== index)
  return expect(twice === undefined, () => `${twice} was handed over twice`)
}

export const sameIds = (
  what: string,
  deliveries: ReadonlyArray<Delivery>,
  before: ReadonlyArray<Delivery>
): Check<void> =>
  expect(
    ids(deliveries).toSorted().join() === ids(before).toSorted().join(),
    () => `${what}: expected ${ids(before).toSorted().join(", ")}, got ${ids(deliveries).toSorted().join(", ")}`
  )

/** The n-th payload unless the harness has its own: every kind of JSON value, and text that breaks careless code. */
export const anyJson = (n: number): unknown => ({
  n,
  text: `${n}: "quoted", ünïcödé \u{1f980}, line\nbreak, tab\t, null \\u0000`,
  number: n / 8,
  flag: n % 2 === 0,
  nothing: null,
  list: [n, [n + 1], []],
  nested: { empty: {}, deep: { n } }
})

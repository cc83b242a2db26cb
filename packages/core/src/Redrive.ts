/**
 * Dead letters: reading those of a task, and sending them again.
 *
 * They are where the task sends them (`Task.deadLetter`), or where its source keeps them. A redrive puts the payload as
 * it arrived back to the source, with its id and metadata and a delivery count of 0.
 *
 * **Guarantee**: at-least-once. From a sink, a transaction goes back to the source first, and only then its letter goes
 * away: after a crash in between, redriving again changes nothing while it still waits, and delivers it once more when it
 * was worked on meanwhile. From a source's own letters it is one step. Make processing idempotent.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { LettersError } from "./ConnectorError.ts"
import type { DeadLetter } from "./DeadLetter.ts"
import type { Definition } from "./internal/definition.ts"
import type { RateInput } from "./internal/policy/field.ts"
import * as pass from "./internal/redrive/pass.ts"
import { keptOf, type Named, withLayers } from "./internal/task.ts"
import { Unsupported } from "./Reason.ts"
import type { Any } from "./Task.ts"

/**
 * Where a letter is: at the task's sink for dead letters, or among the source's own.
 *
 * @category models
 * @since 0.1.0
 */
export type Place = "sink" | "source"

/**
 * A dead letter of a task. `connector` is the id of the key where it is, `key` its name there.
 *
 * @category models
 * @since 0.1.0
 */
export interface Letter {
  readonly place: Place
  readonly connector: string
  readonly key: string
  readonly letter: DeadLetter
}

/**
 * Which letters: all that match everything that is given. An empty one matches all letters of the task.
 *
 * **Details**
 * - `tags`: the tag, or class, of the error (`letter.error.tag`). `steps`, `categories`: where it failed, and of which
 *   kind.
 * - `olderThan`, `youngerThan`: the age of the letter, by the time of its failure and the clock of this process.
 * - `ids`: of transactions. They are looked up one by one.
 * - `limit`: at most so many, a whole number.
 * - `from`: only this place. Both unless given, the sink's first; then a sink that cannot be read is an error.
 * - `task`: the name under which they were given up: for a task that has been renamed. In a sink, which may be shared,
 *   the task's own name and source; in a source's own letters any, as they are all the source's.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly tags?: ReadonlyArray<string> | undefined
  readonly steps?: ReadonlyArray<DeadLetter["step"]> | undefined
  readonly categories?: ReadonlyArray<DeadLetter["category"]> | undefined
  readonly olderThan?: Duration.Input | undefined
  readonly youngerThan?: Duration.Input | undefined
  readonly ids?: ReadonlyArray<string> | undefined
  readonly limit?: number | undefined
  readonly from?: Place | undefined
  readonly task?: string | undefined
}

/**
 * How letters are redriven: which ones, and how.
 *
 * **Details**
 * - `rate`: at most so many in any window, as `loop.rate` of a policy: `"10/second"`. None unless given.
 * - `dryRun`: only counts what matches.
 * - `onProgress`: called after each batch (at most 100 letters), with what was done so far. The redrive waits for it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Filter {
  readonly rate?: RateInput | undefined
  readonly dryRun?: boolean | undefined
  readonly onProgress?: ((progress: Summary) => Effect.Effect<void>) | undefined
}

/**
 * What a redrive has done.
 *
 * **Details**
 * - `matched`: letters that the filter let through. `redriven`: those that are back at the source.
 * - `gone`: matched, and put back or removed by somebody else meanwhile.
 * - `failed`: could not go back, or their letter could not be removed; they are still among the letters. `failures`
 *   tells the first 100 of them.
 * - `missing`: ids of the filter for which there is no letter that matches.
 *
 * @category models
 * @since 0.1.0
 */
export interface Summary {
  readonly matched: number
  readonly redriven: number
  readonly gone: number
  readonly failed: number
  readonly failures: ReadonlyArray<{ readonly id: string; readonly reason: string }>
  readonly missing: ReadonlyArray<string>
}

const withDefinition = <A>(
  self: Named,
  body: (definition: Definition) => Effect.Effect<A, unknown>
): Effect.Effect<A, unknown> =>
  Effect.suspend(() => {
    const what = keptOf(self)
    return what._tag === "transactions"
      ? withLayers(what.definition, body(what.definition))
      : Effect.fail(isProgram(self))
  })

const isProgram = ({ name }: Named): LettersError =>
  new LettersError({ reason: new Unsupported({ message: `task "${name}" is a program: it has no dead letters` }) })

/**
 * The dead letters of a task, oldest first: those of its sink, then its source's own.
 *
 * **Details**
 * They are read in pages of 100 as the stream is asked for them. Letters that come or go meanwhile disturb nothing. The
 * Layers of the task are built for it and closed at its end. Fails with a `LettersError`: reason `Unsupported` where no
 * letters can be read, `InvalidRequest` for a filter that is not valid.
 *
 * **Example** (What failed for want of stock)
 * ```ts import.meta.vitest
 * import { Connector, Memory, Redrive, Task, Transaction } from "@ergon/core"
 * import { Data, Effect, Layer, Schema, Stream } from "effect"
 *
 * class Orders extends Connector.Queue<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 * class DeadOrders extends Connector.DeadLetters<DeadOrders>()("dead-orders") {}
 * class OutOfStock extends Data.TaggedError("OutOfStock") {}
 *
 * const ship = Task.consumer("ship", Orders, () => Effect.fail(new OutOfStock())).pipe(Task.deadLetter(DeadOrders))
 * const layers = Layer.mergeAll(
 *   Memory.queue(Orders, [Transaction.make("order-1", { quantity: 2 })]),
 *   Memory.deadLetters(DeadOrders)
 * )
 * const program = Effect.gen(function*() {
 *   yield* Task.run(ship)
 *   return yield* Stream.runCollect(Redrive.letters(ship, { tags: ["OutOfStock"] }))
 * })
 * const letters = await Effect.runPromise(Effect.provide(program, layers))
 * letters.map(({ letter }) => letter.id) // => ["order-1"]
 * ```
 *
 * @category reading
 * @since 0.1.0
 */
export const letters = <X, R>(self: Any<X, R>, filter: Filter = {}): Stream.Stream<Letter, X | LettersError, R> =>
  Stream.suspend(() => {
    const what = keptOf(self)
    if (what._tag !== "transactions") return Stream.fail(isProgram(self))
    const { layers } = what.definition
    return layers.reduce<Stream.Stream<Letter, unknown, unknown>>(
      (stream, layer) => Stream.provide(stream, layer),
      pass.letters(what.definition, filter)
    ) as Stream.Stream<never, never, never>
  })

/**
 * The dead letters of one transaction: one, unless several sources or failures have left more.
 *
 * **Details**
 * Fails with a `LettersError`: reason `NotFound` where there is none, and as `letters` does.
 *
 * @category reading
 * @since 0.1.0
 */
export const letter = <X, R>(
  self: Any<X, R>,
  id: string,
  filter: Omit<Filter, "ids"> = {}
): Effect.Effect<ReadonlyArray<Letter>, X | LettersError, R> =>
  withDefinition(self, (definition) => pass.lettersOf(definition, id, filter)) as Effect.Effect<never, never, never>

/**
 * Sends dead letters again: puts the transactions that match back to the source of the task, oldest first.
 *
 * **Details**
 * At-least-once. One pass: what is given up after it began is left for the next one. An interruption waits for the batch
 * in hand, at most 100 letters; what is back is back. Fails with a `LettersError`: as `letters` does, with reason
 * `Unsupported` where the source takes nothing back, and with what a connector fails with; running it again goes on
 * where it stopped. Letters that fail by themselves are counted, and the others go on.
 *
 * **Example** (Again, now that there is stock)
 * ```ts import.meta.vitest
 * import { Connector, Memory, Redrive, Task, Transaction } from "@ergon/core"
 * import { Data, Effect, Schema } from "effect"
 *
 * class Orders extends Connector.Queue<Orders>()("orders", Schema.Struct({ quantity: Schema.Int })) {}
 * class OutOfStock extends Data.TaggedError("OutOfStock") {}
 *
 * let stock = 0
 * const ship = Task.consumer("ship", Orders, () => stock > 0 ? Effect.void : Effect.fail(new OutOfStock()))
 * const program = Effect.gen(function*() {
 *   yield* Task.run(ship)
 *   stock = 10
 *   const { redriven } = yield* Redrive.redrive(ship, { tags: ["OutOfStock"], rate: "100/second" })
 *   const { succeeded } = yield* Task.run(ship)
 *   return { redriven, succeeded }
 * })
 * const layer = Memory.queue(Orders, [Transaction.make("order-1", { quantity: 2 })])
 * await Effect.runPromise(Effect.provide(program, layer)) // => { redriven: 1, succeeded: 1 }
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const redrive = <X, R>(self: Any<X, R>, options: Options = {}): Effect.Effect<Summary, X | LettersError, R> =>
  withDefinition(self, (definition) => pass.redrive(definition, options)) as Effect.Effect<never, never, never>

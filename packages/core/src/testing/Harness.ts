/**
 * What the author of a connector hands to the conformance suite: how to make a fresh place, how to connect to it, and
 * how to do to it what the world does.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Connector from "../Connector.ts"
import type { Transaction } from "../Transaction.ts"
import type { DeadLettersLawName, SinkLawName, SourceLawName } from "./Law.ts"

/**
 * What every harness says.
 *
 * **Details**
 * - `name`: of the connector, for the report.
 * - `time`: `"test"` where the connector waits by the Effect `Clock` alone: each law runs under a TestClock of its own,
 *   and no law takes real time. `"live"` where a server, a disk or a thread keeps its own time.
 * - `patience`: how long something that must happen may take; 5 seconds unless given.
 * - `quiet`: how long nothing must happen before a law believes that nothing will; 5 seconds of test time, 200
 *   milliseconds of real time unless given.
 * - `payload`: the n-th payload on the wire; all of them differ. Unless given, JSON values of every kind.
 * - `secrets`: texts that must not appear in any error, log or span, a password of the connection above all.
 * - `failures`: effects that fail in the connector's own way, so that more errors can be searched for secrets: a
 *   connection that is refused, say.
 *
 * @category models
 * @since 0.1.0
 */
export interface Common {
  readonly name: string
  readonly time: "test" | "live"
  readonly patience?: Duration.Input | undefined
  readonly quiet?: Duration.Input | undefined
  readonly payload?: ((n: number) => unknown) | undefined
  readonly secrets?: ReadonlyArray<string> | undefined
  readonly failures?: ReadonlyArray<Effect.Effect<unknown, unknown, Scope.Scope>> | undefined
}

/**
 * The optional operations of a source. `putBack` is the one of its `letters`.
 *
 * @category models
 * @since 0.1.0
 */
export type Operation = "count" | "resolve" | "isHeld" | "letters" | "putBack" | "takeBack"

/**
 * A dead letter as the storage keeps it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Buried {
  readonly id: string
  readonly reason: string
}

/**
 * One fresh place to fetch from, that nobody else uses: a queue, a table, a directory.
 *
 * **Details**
 * - `open`: opens a connector on it. Closing the scope closes the connector. Laws open several.
 * - `enqueue`: puts transactions there, in this order, by whatever way is not under test.
 * - `crash`: ends every open connector as a `kill -9` would. Without it a crash is a connector that stays silent until
 *   its leases run out, or one that closes without settling.
 * - `cut`: cuts the connection of every open connector, which has to heal by itself. Where there is no lease, it loses
 *   what they hold.
 * - `buried`: the dead letters there.
 *
 * @category models
 * @since 0.1.0
 */
export interface SourceStorage {
  readonly open: Effect.Effect<Connector.SourceService, unknown, Scope.Scope>
  readonly enqueue: (transactions: ReadonlyArray<Transaction<unknown>>) => Effect.Effect<void, unknown>
  readonly crash?: Effect.Effect<void, unknown> | undefined
  readonly cut?: Effect.Effect<void, unknown> | undefined
  readonly buried?: Effect.Effect<ReadonlyArray<Buried>, unknown> | undefined
}

/**
 * The harness of a source.
 *
 * **Details**
 * - `capabilities`: what the connector declares; the suite checks that it does.
 * - `operations`: the optional operations that it has.
 * - `storage`: a fresh one for each law. Whatever it acquires lives until the law ends.
 * - `can`: which of the optional members of its storages are there.
 * - `prefetch`: how many deliveries may be unsettled at once, for a connector that a broker pushes to.
 * - `without`: laws that cannot hold for this transport, each with the reason. The report prints it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Source extends Common {
  readonly capabilities: Connector.Capabilities
  readonly operations: ReadonlyArray<Operation>
  readonly storage: Effect.Effect<SourceStorage, unknown, Scope.Scope>
  readonly can: ReadonlyArray<"crash" | "cut" | "buried">
  readonly prefetch?: number | undefined
  readonly without?: { readonly [Name in SourceLawName]?: string } | undefined
}

/**
 * One fresh place to dispatch to, that nobody else uses.
 *
 * **Details**
 * - `open`: opens a connector on it; closing the scope closes the connector.
 * - `received`: what has arrived there, in any order, read by whatever way is not under test.
 * - `cut`: cuts the connection of every open connector, which has to heal by itself.
 * - `refused`: the n-th transaction that the target refuses while it takes others of the same batch.
 *
 * @category models
 * @since 0.1.0
 */
export interface SinkStorage {
  readonly open: Effect.Effect<Connector.SinkService, unknown, Scope.Scope>
  readonly received: Effect.Effect<ReadonlyArray<Transaction<unknown>>, unknown>
  readonly cut?: Effect.Effect<void, unknown> | undefined
  readonly refused?: ((n: number) => Transaction<unknown>) | undefined
}

/**
 * The harness of a sink.
 *
 * **Details**
 * - `storage`: a fresh one for each law. Whatever it acquires lives until the law ends.
 * - `can`: which of the optional members of its storages are there.
 * - `without`: laws that cannot hold for this transport, each with the reason. The report prints it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sink extends Common {
  readonly storage: Effect.Effect<SinkStorage, unknown, Scope.Scope>
  readonly can: ReadonlyArray<"cut" | "refused">
  readonly without?: { readonly [Name in SinkLawName]?: string } | undefined
}

/**
 * One fresh queue, that nobody else uses. As `SourceStorage`, with both sides opened at once: transactions are enqueued
 * by dispatching them, and what arrived is read by fetching and acknowledging it.
 *
 * @category models
 * @since 0.1.0
 */
export interface QueueStorage {
  readonly open: Effect.Effect<Connector.QueueService, unknown, Scope.Scope>
  readonly crash?: Effect.Effect<void, unknown> | undefined
  readonly cut?: Effect.Effect<void, unknown> | undefined
  readonly buried?: Effect.Effect<ReadonlyArray<Buried>, unknown> | undefined
  readonly refused?: ((n: number) => Transaction<unknown>) | undefined
}

/**
 * The harness of a queue: that of a source and of a sink in one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Queue extends Common {
  readonly capabilities: Connector.Capabilities
  readonly operations: ReadonlyArray<Operation>
  readonly storage: Effect.Effect<QueueStorage, unknown, Scope.Scope>
  readonly can: ReadonlyArray<"crash" | "cut" | "buried" | "refused">
  readonly prefetch?: number | undefined
  readonly without?: { readonly [Name in SourceLawName | SinkLawName]?: string } | undefined
}

/**
 * One fresh place to send dead letters to, that nobody else uses. `open` opens a connector on it; closing the scope
 * closes the connector.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLettersStorage {
  readonly open: Effect.Effect<Connector.SinkService, unknown, Scope.Scope>
}

/**
 * The harness of a sink for dead letters whose letters can be read. What it has in common with other sinks is checked
 * with a `Harness.Sink`.
 *
 * **Details**
 * - `storage`: a fresh one for each law. Whatever it acquires lives until the law ends.
 * - `payload`: of the transactions that are given up.
 * - `without`: laws that cannot hold for this transport, each with the reason. The report prints it.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLetters extends Common {
  readonly storage: Effect.Effect<DeadLettersStorage, unknown, Scope.Scope>
  readonly without?: { readonly [Name in DeadLettersLawName]?: string } | undefined
}

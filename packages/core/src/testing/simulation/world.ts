/**
 * What a simulation is made of besides the task: the places where transactions come from and go to. They outlive the
 * processes that connect to them.
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SinkService, SourceService } from "../../Connector.ts"
import type { Transaction } from "../../Transaction.ts"

/** Puts faults and eyes between a connector and the engine. */
export interface Wrap {
  readonly source: (real: SourceService) => SourceService
  readonly sink: (real: SinkService, id: string) => SinkService
  readonly letters: (real: SinkService, id: string) => SinkService
}

/** One connection of one process. */
export interface Opened {
  readonly source: SourceService | undefined
  readonly context: (wrap: Wrap) => Context.Context<never>
}

/** A place in one simulation. */
export interface Place {
  readonly open: Effect.Effect<Opened, unknown, Scope.Scope>
  /** The connection of a process that has crashed: what it held comes back. Without it the scope is closed. */
  readonly crash: Effect.Effect<void, unknown> | undefined
  /** Takes back whatever is held, as a revoked partition is. */
  readonly cut: Effect.Effect<void, unknown> | undefined
}

/** How a place is made for each simulation, and the transactions that it begins with. */
export interface Making {
  readonly transactions: ReadonlyArray<Transaction<unknown>>
  readonly make: (
    transactions: ReadonlyArray<Transaction<unknown>>
  ) => Effect.Effect<Place, unknown, Scope.Scope>
}

/**
 * The ways to run a task, once its types have done their work: to its end, one transaction of it, or only a look at its
 * source. Each builds the Layers that the task was given, and closes them.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Count } from "../Connector.ts"
import { FetchError } from "../ConnectorError.ts"
import * as Control from "../Control.ts"
import type { Outcome, Summary } from "../Outcome.ts"
import * as Policy from "../Policy.ts"
import { Unsupported } from "../Reason.ts"
import { type ConnectorOfRun, Observer, type Run, surround } from "../Run.ts"
import { attributes, spans } from "../Telemetry.ts"
import * as Transaction from "../Transaction.ts"
import { decoder } from "./codec.ts"
import type { Definition } from "./definition.ts"
import { policyOf, run as runDefinition, type RunOptions, service } from "./engine/run.ts"
import { Tally } from "./engine/tally.ts"
import { listens } from "./engine/trace.ts"
import { definitionOf, type Kept, keptOf, type Named, withLayers } from "./task.ts"

const unsupported = (message: string): Effect.Effect<never, FetchError> =>
  Effect.fail(new FetchError({ reason: new Unsupported({ message }) }))

/** Runs it to its end, and tells the observer. */
export const run = (self: Named, given: Control.Control | undefined): Effect.Effect<Summary, unknown, unknown> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const observer = yield* Observer
      const control = given ?? (yield* Control.make)
      const what = keptOf(self)
      let connectors: ReadonlyArray<ConnectorOfRun> = []
      const run: Run = {
        ...describe(self),
        control,
        connectors: Effect.sync(() => connectors),
        workers: Effect.succeed([])
      }
      const finished = <E, R>(work: Effect.Effect<Summary, E, R>) =>
        Effect.onExit(work, (exit) => Effect.sync(() => observer.finished(run, exit)))
      const connected = (found: ReadonlyArray<ConnectorOfRun>) => {
        connectors = found
      }
      const all = what._tag === "program"
        ? finished(runProgram(self.name, what.effect))
        : withLayers(
          what.definition,
          finished(runDefinition(what.definition, { attach: control["~attach"], connected }))
        )
      observer.started(run)
      return yield* Effect.onExit(restore(all), (exit) => Effect.sync(() => observer.closed(run, exit)))
    })
  ).pipe(surround(self.name))

/** What a run of it is, before it begins. */
export const describe = (self: Named): Pick<Run, "task" | "kind" | "policy"> => {
  const what = keptOf(self)
  return {
    task: self.name,
    kind: kindOf(what),
    policy: what._tag === "program" ? Policy.make(what.policy) : policyOf(what.definition)
  }
}

const kindOf = (what: Kept): Run["kind"] =>
  what._tag === "program" ? "program" : what.definition.from._tag === "source" ? "consumer" : "producer"

const runProgram = (
  task: string,
  effect: Effect.Effect<unknown, unknown, unknown>
): Effect.Effect<Summary, unknown, unknown> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const program = Effect.annotateLogs(effect, { task })
    const traced = listens(context)
      ? Effect.withSpan(program, `${spans.run.name} ${task}`, { attributes: { [attributes.task]: task } })
      : program
    return Effect.map(
      Effect.timed(Effect.scoped(traced)),
      ([duration]) => new Tally().summary(0, Duration.toMillis(duration))
    )
  })

/** The same engine, watched. */
export const start = (definition: Definition, options: RunOptions): Effect.Effect<Summary, unknown> =>
  surround(definition.name)(withLayers(definition, runDefinition(definition, options)))

type One = Outcome<unknown, unknown, unknown>

/** One transaction instead of what the source has. */
export const only = (self: Named, one: NonNullable<RunOptions["only"]>): Effect.Effect<One, unknown> =>
  Effect.suspend(() => {
    const definition = definitionOf(self)
    return surround(self.name)(withLayers(definition, ended(definition, one)))
  })

/** One transaction as it would arrive as JSON; nothing runs when it does not decode. */
export const onlyJson = (
  self: Named,
  transaction: Transaction.Transaction<unknown>
): Effect.Effect<One, unknown> =>
  Effect.suspend(() => {
    const definition = definitionOf(self)
    if (definition.from._tag === "stream") {
      return unsupported(`task "${self.name}" is a producer: its transactions have no schema to read them by`)
    }
    const { explain } = decoder(definition.from.key.payload, "json")
    const decoded = explain(transaction.payload) as Effect.Effect<unknown, unknown>
    return surround(self.name)(withLayers(
      definition,
      Effect.flatMap(decoded, (payload) =>
        ended(definition, { transaction: Transaction.withPayload(transaction, payload) }))
    ))
  })

/** Runs something that ends one transaction, and answers with its outcome. */
const ended = (definition: Definition, one: NonNullable<RunOptions["only"]>): Effect.Effect<One, unknown> =>
  Effect.suspend(() => {
    let outcome: One | undefined
    const observe = (observed: One) => {
      outcome = observed
    }
    return Effect.flatMap(
      runDefinition(definition, { observe, only: one }),
      () => outcome === undefined ? Effect.die("a transaction ended without an outcome") : Effect.succeed(outcome)
    )
  })

/** What the source holds. */
export const count = (self: Named): Effect.Effect<Count, unknown> =>
  Effect.suspend(() => {
    const definition = definitionOf(self)
    const { from } = definition
    if (from._tag === "stream") {
      return unsupported(`task "${self.name}" is a producer: what is still to come cannot be counted`)
    }
    return withLayers(
      definition,
      Effect.contextWith((context: Context.Context<never>) =>
        service(context, from.key).source.count ?? unsupported(`source "${from.key.id}" cannot count`)
      )
    )
  })

/**
 * What a task is behind its types: its definition, or the effect of a `Task.make`. The combinators of `Task` build it;
 * what runs or describes tasks reads it here.
 */
import * as Effect from "effect/Effect"
import * as Pipeable from "effect/Pipeable"
import type * as Policy from "../Policy.ts"
import type { Definition } from "./definition.ts"

// As much of `Task.Any` as is needed here.
export interface Named {
  readonly name: string
}

// `effect` is the whole of a `Task.make`, with the policy of whatever surrounds it.
export type Kept =
  | { readonly _tag: "transactions"; readonly definition: Definition }
  | {
    readonly _tag: "program"
    readonly effect: Effect.Effect<unknown, unknown, unknown>
    readonly policy: Policy.Input
  }

const kept = Symbol("@ergon/core/Task")

export const keep = (name: string, what: Kept): never =>
  Object.assign(Object.create(Pipeable.Prototype), { name, [kept]: what }) as never

export const keptOf = (self: Named): Kept => (self as unknown as { readonly [kept]: Kept })[kept]

/** The definition of a task over transactions; the types let nothing else come here. */
export const definitionOf = (self: Named): Definition => {
  const what = keptOf(self)
  if (what._tag === "transactions") return what.definition
  throw new TypeError(`task "${self.name}" is a program: it has no transactions`)
}

/** Runs something with the Layers that the task was given, and closes them when it ends. */
export const withLayers = <A>(
  definition: Definition,
  body: Effect.Effect<A, unknown>
): Effect.Effect<A, unknown> =>
  definition.layers.reduce<Effect.Effect<A, unknown, unknown>>(
    (effect, layer) => Effect.provide(effect, layer),
    body
  ) as Effect.Effect<A, unknown>

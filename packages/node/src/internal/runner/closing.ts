/**
 * Sees what is being closed. Layers say nothing when they close, but every Layer is asked for in the `MemoMap` of its
 * context, with the scope that will close it: a map of ours gets to see each of these scopes while it is still empty.
 *
 *     seen -> closing -> gone     closing: the state of the scope says so; gone: its first finalizer, which is ours and
 *                                 runs last, has run
 *
 * A scope that the program made itself is seen only when a run begins in it. Its end cannot be seen: such a scope counts
 * as closing from when its state says so until the main fiber can be interrupted again, since finalizers cannot.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"

type AnyExit = Exit.Exit<unknown, unknown>

export interface Closing {
  readonly memoMap: Layer.MemoMap
  /** A run begins in this scope. */
  readonly around: (scope: Scope.Scope) => void
  /** What the scopes that are being closed now were closed with; none when nothing is being closed. */
  readonly exits: (main: Fiber.Fiber<unknown, unknown>) => ReadonlyArray<AnyExit>
}

/** The public interface of a fiber does not say it; a fiber that does not know is taken for one that can. */
const canBeInterrupted = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  !("interruptible" in fiber) || fiber.interruptible !== false

const exitOf = (scope: Scope.Scope): ReadonlyArray<AnyExit> => scope.state._tag === "Closed" ? [scope.state.exit] : []

export const make = (): Closing => {
  const seen = new Set<Scope.Scope>()
  const ofRuns = new Set<Scope.Scope>()
  const base = Layer.makeMemoMapUnsafe()

  const see = (scope: Scope.Scope): void => {
    if (seen.has(scope) || scope.state._tag === "Closed") return
    seen.add(scope)
    Effect.runSync(Scope.addFinalizer(scope, Effect.sync(() => seen.delete(scope))))
  }

  return {
    memoMap: {
      "~effect/Layer/MemoMap": base["~effect/Layer/MemoMap"],
      get: (layer, scope) => {
        see(scope)
        return base.get(layer, scope)
      },
      getOrElseMemoize: (layer, scope, build) => {
        see(scope)
        return base.getOrElseMemoize(layer, scope, build)
      }
    },
    around: (scope) => {
      for (const earlier of ofRuns) {
        if (earlier.state._tag === "Closed") ofRuns.delete(earlier)
      }
      ofRuns.add(scope)
    },
    exits: (main) => {
      if (canBeInterrupted(main)) {
        for (const scope of ofRuns) {
          if (scope.state._tag === "Closed") ofRuns.delete(scope)
        }
      }
      return [...seen, ...ofRuns].flatMap(exitOf)
    }
  }
}

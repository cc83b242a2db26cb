/**
 * Sees what is being closed. Layers say nothing when they close, but every Layer is asked for in the `MemoMap` of its
 * context, with the scope that will close it: a map of ours gets to see each of these scopes while it is still empty.
 *
 *     seen -> closing -> gone     closing: the state of the scope says so; gone: its first finalizer, which is ours and
 *                                 runs last, has run
 *
 * A finalizer that fails makes whatever closes the scope fail, and is reported with it. Not so in a fiber that is
 * interrupted: there its failure is lost. So the finalizers of a scope that was seen log it themselves in that case.
 *
 * A scope that the program made itself is seen only when a run begins in it. Its end cannot be seen: such a scope counts
 * as closing from when its state says so until the main fiber can be interrupted again, since finalizers cannot.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
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

type Finalizer = (exit: AnyExit) => Effect.Effect<void>

/** The finalizers of a scope. Each logs its failure when its fiber is interrupted. */
class Finalizers extends Map<object, Finalizer> {
  // The scope of a Layer may be closed by another one: one failure passes through both.
  private readonly told: WeakSet<object>

  constructor(told: WeakSet<object>) {
    super()
    this.told = told
  }

  override set(key: object, finalizer: Finalizer): this {
    return super.set(key, (exit) =>
      Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)
        ? Effect.tapCause(finalizer(exit), (cause) => this.tell(cause))
        : finalizer(exit))
  }

  private tell(cause: Cause.Cause<never>): Effect.Effect<void> {
    const reasons = cause.reasons.filter((reason) => reason._tag !== "Interrupt" && !this.told.has(reason))
    for (const reason of reasons) this.told.add(reason)
    return reasons.length === 0
      ? Effect.void
      : Effect.logError("what was open did not close as it should", Cause.fromReasons(reasons))
  }
}

const exitOf = (scope: Scope.Scope): ReadonlyArray<AnyExit> => scope.state._tag === "Closed" ? [scope.state.exit] : []

export const make = (): Closing => {
  const told = new WeakSet<object>()
  const seen = new Set<Scope.Scope>()
  const ofRuns = new Set<Scope.Scope>()
  const base = Layer.makeMemoMapUnsafe()

  const see = (scope: Scope.Scope): void => {
    if (seen.has(scope) || scope.state._tag === "Closed") return
    seen.add(scope)
    const last = Effect.sync(() => void seen.delete(scope))
    if (scope.state._tag === "Empty") {
      const finalizers = new Finalizers(told)
      scope.state = { _tag: "Open", finalizerKey: undefined, finalizer: undefined, finalizers }
    }
    Effect.runSync(Scope.addFinalizer(scope, last))
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

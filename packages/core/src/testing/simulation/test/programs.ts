/**
 * What the programs of the generated tasks do: each transaction has a script of its own, and what it acquires and how
 * long it takes is watched.
 */
import { Duration, Effect, Exit, Schema } from "effect"
import { Decision, Disposition, Reason } from "../../../index.ts"
import { Dice } from "../chance.ts"

export class Failed extends Schema.TaggedError<Failed>()("Failed", { times: Schema.Number }) {}
export class Later extends Schema.TaggedError<Later>()("Later", {}) {}
export class Hopeless extends Schema.TaggedError<Hopeless>()("Hopeless", {}) {}
export class Unwanted extends Schema.TaggedError<Unwanted>()("Unwanted", {}) {}
export class Fatal extends Schema.TaggedError<Fatal>()("Fatal", {}) {}
export class Gone extends Schema.TaggedError<Gone>()("Gone", { reason: Reason.LeaseLost }) {}

export const acts = [
  "ok",
  "ok",
  "ok",
  "ok",
  "slow",
  "fails",
  "fails",
  "always fails",
  "dies",
  "hangs",
  "resists",
  "interrupts",
  "later",
  "hopeless",
  "not retryable",
  "unwanted",
  "lease",
  "acquires",
  "busy",
  "child"
] as const

export interface Script {
  readonly act: (typeof acts)[number] | "fatal"
  readonly work: number
  readonly times: number
}

/** What was seen of the programs of one trial. It outlives crashes. */
export class Seen {
  problem: string | undefined
  readonly calls = new Map<string, number>()
  acquired = 0

  call(id: string): number {
    const calls = (this.calls.get(id) ?? 0) + 1
    this.calls.set(id, calls)
    return calls
  }
}

type Errors = Failed | Later | Hopeless | Unwanted | Fatal | Gone

/** `most`: the longest an attempt may take that can be interrupted. */
export const program = (
  seen: Seen,
  script: Script,
  id: string,
  n: number,
  most: number
): Effect.Effect<number, Errors, never> => {
  const call = seen.call(id)
  const work = script.work === 0 ? Effect.void : Effect.sleep(Duration.millis(script.work))
  const act = (): Effect.Effect<number, Errors> => {
    switch (script.act) {
      case "ok":
        return Effect.as(work, n)
      case "slow":
        return Effect.as(Effect.sleep(Duration.millis(script.work * 40)), n)
      case "fails":
        return Effect.andThen(work, call <= script.times ? Effect.fail(new Failed({ times: call })) : Effect.succeed(n))
      case "always fails":
        return Effect.andThen(work, Effect.fail(new Failed({ times: call })))
      case "dies":
        return Effect.andThen(work, Effect.die(new Error("a defect")))
      case "hangs":
        return call <= script.times ? Effect.never : Effect.as(work, n)
      case "resists":
        return Effect.as(Effect.uninterruptible(Effect.sleep(Duration.millis(script.work * 100))), n)
      case "interrupts":
        return Effect.andThen(work, Effect.interrupt)
      case "later":
        return Effect.andThen(work, call <= script.times ? Effect.fail(new Later()) : Effect.succeed(n))
      case "hopeless":
        return Effect.andThen(work, Effect.fail(new Hopeless()))
      case "not retryable":
        return Effect.andThen(work, Decision.nonRetryable(new Failed({ times: call })))
      case "unwanted":
        return Effect.andThen(work, Effect.fail(new Unwanted()))
      case "fatal":
        return Effect.andThen(work, call === 1 ? Effect.fail(new Fatal()) : Effect.succeed(n))
      case "lease":
        return Effect.andThen(
          work,
          call === 1
            ? Effect.fail(new Gone({ reason: new Reason.LeaseLost({ message: "somebody else has it" }) }))
            : Effect.succeed(n)
        )
      case "acquires":
        return Effect.as(Effect.andThen(acquire(seen), work), n) as Effect.Effect<number>
      case "busy":
        return Effect.as(Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], () => Effect.yieldNow, { discard: true }), n)
      case "child":
        return Effect.as(Effect.andThen(Effect.forkChild(Effect.never), work), n)
    }
  }
  if (script.act === "resists" || most === Infinity) return act()
  return Effect.clockWith((clock) => {
    const begun = clock.currentTimeMillisUnsafe()
    return Effect.onExit(act(), () =>
      Effect.sync(() => {
        const took = clock.currentTimeMillisUnsafe() - begun
        if (took > most + 1) seen.problem ??= `an attempt at ${id} went on for ${took} ms, at most ${most}`
      }))
  })
}

/** A resource that lives as long as the attempt. */
const acquire = (seen: Seen) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      seen.acquired++
    }),
    () =>
      Effect.sync(() => {
        seen.acquired--
      })
  )

export const decisions = {
  Failed: () => Decision.retry,
  Later: () => Decision.requeue("15 millis"),
  Hopeless: () => Decision.deadLetter,
  Unwanted: () => Decision.discard,
  Fatal: () => Decision.abort,
  Gone: () => Decision.retryAfter("10 millis")
}

export const hooks = [
  "none",
  "none",
  "nothing",
  "ack",
  "requeue",
  "requeue later",
  "release",
  "dead-letter",
  "fails",
  "fails once",
  "dies",
  "slow",
  "hangs once"
] as const

/** The exception step of the generated tasks. What gives a transaction back does so a few times, not for ever. */
export const hook = (
  kind: (typeof hooks)[number],
  seen: Seen,
  id: string
): Effect.Effect<Disposition.Disposition | void, Failed> => {
  const call = seen.call(`hook of ${id}`)
  const give = (disposition: Disposition.Disposition) => call <= 2 ? Effect.succeed(disposition) : Effect.void
  switch (kind) {
    case "ack":
      return Effect.succeed(Disposition.ack)
    case "requeue":
      return give(Disposition.requeue())
    case "requeue later":
      return give(Disposition.requeue("40 millis"))
    case "release":
      return give(Disposition.release)
    case "dead-letter":
      return Effect.succeed(Disposition.deadLetter("enough"))
    case "fails":
      return call <= 3 ? Effect.fail(new Failed({ times: call })) : Effect.void
    case "fails once":
      return call === 1 ? Effect.fail(new Failed({ times: call })) : Effect.void
    case "dies":
      return call <= 2 ? Effect.die(new Error("the hook broke")) : Effect.void
    case "slow":
      return Effect.sleep("200 millis")
    case "hangs once":
      return call === 1 ? Effect.never : Effect.void
    default:
      return Effect.void
  }
}

export const succeeding = (kind: number, seen: Seen, id: string): Effect.Effect<void, Failed> => {
  const call = seen.call(`success of ${id}`)
  switch (kind) {
    case 1:
      return call % 3 === 1 ? Effect.fail(new Failed({ times: call })) : Effect.void
    case 2:
      return Effect.sleep("30 millis")
    case 3:
      return call === 1 ? Effect.die(new Error("the success step broke")) : Effect.void
    case 4:
      return call === 1 ? Effect.never : Effect.void
    default:
      return Effect.void
  }
}

export const scriptOf = (seed: number, n: number, calm: boolean): Script => {
  const dice = new Dice(seed, "script", n)
  const act = calm ? "ok" : dice.hits(0.01) ? "fatal" : dice.pick(acts)
  return { act, work: dice.pick([0, 0, 1, 5, 20, 40]), times: dice.between(1, 3) }
}

export const ended = Exit.isSuccess

/**
 * What a consumer of a group reads.
 *
 * It looks at what is there; when nothing is, it waits in a blocking read on a connection of its own, at most `poll` at a
 * time, and looks after the group in between: what is due, what nobody settled within its lease.
 *
 * Nothing that the server has handed over is forgotten: an interrupted read is ended at the server, and what comes with it
 * nevertheless goes back at once. An answer that was lost with its connection is asked for again: what the server says
 * that we hold, and we do not know of. A read that does not come back in its time ends its connection, and the next one
 * opens another.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { RedisError } from "../../RedisError.ts"
import type { Found, Group } from "./group.ts"
import { Receipt } from "./receipt.ts"

export interface ReaderOptions {
  /** Milliseconds. */
  readonly poll: number
  /** Milliseconds that an answer may take beyond the wait that was asked for. */
  readonly patience: number
  /** Whether this hand-over is one that we know of. */
  readonly isKnown: (found: Pick<Found, "which" | "id" | "count">) => boolean
}

type Read = Effect.Effect<ReadonlyArray<Found>, RedisError>

const nothing: ReadonlyArray<Found> = []

export class Reader {
  private readonly group: Group
  private readonly clock: Clock.Clock
  private readonly options: ReaderOptions
  private isClosed = false
  /** Reads whose answers are to come. */
  private open = 0
  private lostAnswers = false
  /** What is to be delivered again is read first, and alone: `COUNT` is for each stream. */
  private isAgainBusy = false
  private nextLook = 0
  private isBlocked = false
  /** The number of the blocking connection at the server. */
  private blockingId: string | undefined
  private readonly wakers = new Set<() => void>()

  constructor(group: Group, clock: Clock.Clock, options: ReaderOptions) {
    this.group = group
    this.clock = clock
    this.options = options
  }

  private get now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** Whether something was moved or given back to be read at once. */
  again(): void {
    this.isAgainBusy = true
  }

  /** An answer may be lost that had brought something. */
  doubt(): void {
    this.lostAnswers = true
  }

  /** Something is due in this many milliseconds. */
  dueIn(millis: number): void {
    this.nextLook = Math.min(this.nextLook, this.now + millis)
  }

  /** Ends a waiting read; it brings nothing. */
  close(): void {
    this.isClosed = true
    if (this.blockingId !== undefined) this.group.unblock(this.blockingId)
    for (const wake of this.wakers) wake()
  }

  /** At most `max`, waiting until `until` for the first. Its waits can be interrupted, and nothing else. */
  read(max: number, until: number): Read {
    return Effect.uninterruptibleMask((restore) => {
      const loop = (looks: boolean): Read =>
        Effect.suspend(() => {
          if (this.isClosed) return Effect.succeed(nothing)
          const taken = looks || this.lostAnswers || this.now >= this.nextLook
            ? this.take(max, looks, this.now >= until, restore)
            : Effect.succeed(nothing)
          return Effect.flatMap(taken, (found) => {
            const left = until - this.now
            if (found.length > 0 || left <= 0 || this.isClosed) return Effect.succeed(found)
            if (this.isBlocked) {
              // Another fetch waits at the server.
              return Effect.flatMap(restore(this.pause(Math.min(left, this.options.poll))), () => loop(true))
            }
            const millis = Math.ceil(Math.max(1, Math.min(left, this.options.poll, this.nextLook - this.now)))
            return Effect.flatMap(
              this.wait(max, millis, restore),
              (found) => found.length > 0 ? Effect.succeed(found) : loop(false)
            )
          })
        })
      return loop(true)
    })
  }

  /** Gives back what was not handed over. */
  giveBack(found: ReadonlyArray<Found>): void {
    if (found.length === 0) return
    this.isAgainBusy = true
    void this.group.giveBack(found.map(({ count, id, which }) => new Receipt(which, id, count, undefined, 0))).then(
      (isDone) => {
        if (!isDone) this.lostAnswers = true
      }
    )
  }

  /** Everything but a wait: what was lost, what nobody settled, and what is there unless a wait looks at that next. */
  private take(max: number, looks: boolean, last: boolean, restore: Restore): Read {
    return Effect.suspend(() => {
      const found: Array<Found> = []
      return Effect.gen({ self: this }, function*() {
        found.push(...yield* this.recover(restore))
        this.giveBack(found.splice(max))
        if (found.length < max && this.now >= this.nextLook) yield* this.tend(max, found, restore)
        if (found.length < max && (looks || last)) yield* this.look(max, found, restore)
        if (found.length > 0 || !last) return found
        // Empty is what the source says: also of what has become due since.
        yield* this.tend(max, found, restore)
        if (found.length === 0 && this.isAgainBusy) yield* this.look(max, found, restore)
        return found
      }).pipe(Effect.onExit((exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) return
          if (Exit.hasInterrupts(exit)) this.giveBack(found)
          else this.lostAnswers = true
        })
      ))
    })
  }

  /** Adds what is there now. */
  private look(max: number, found: Array<Found>, restore: Restore): Effect.Effect<void, RedisError> {
    const left = max - found.length
    const add = (more: ReadonlyArray<Found>) => void found.push(...more)
    if (!this.isAgainBusy) {
      return Effect.map(this.ask([2, 1], left, undefined, restore), (more) => add(this.atMost(more, left)))
    }
    return Effect.flatMap(this.ask([2], left, undefined, restore), (first) => {
      add(first)
      if (found.length >= max) return Effect.void
      this.isAgainBusy = false
      return Effect.map(this.ask([1], max - found.length, undefined, restore), add)
    })
  }

  /** Waits at the server. */
  private wait(max: number, millis: number, restore: Restore): Read {
    this.isBlocked = true
    const id = this.blockingId === undefined
      ? Effect.map(Effect.option(restore(this.group.blockingId)), Option.getOrUndefined)
      : Effect.succeed(this.blockingId)
    return Effect.flatMap(id, (id) => {
      this.blockingId = id
      return Effect.map(this.ask([2, 1], max, millis, restore), (found) => this.atMost(found, max))
    }).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          this.isBlocked = false
          for (const wake of this.wakers) wake()
          if (Exit.isSuccess(exit)) return
          if (Exit.hasInterrupts(exit) && this.blockingId !== undefined) this.group.unblock(this.blockingId)
          this.blockingId = undefined
        })
      )
    )
  }

  /** `COUNT` is for each stream: what is too much goes back. */
  private atMost(found: ReadonlyArray<Found>, max: number): ReadonlyArray<Found> {
    if (found.some(({ which }) => which === 2)) this.isAgainBusy = true
    this.giveBack(found.slice(max))
    return found.length > max ? found.slice(0, max) : found
  }

  private ask(which: ReadonlyArray<1 | 2>, max: number, block: number | undefined, restore: Restore): Read {
    return this.counted(restore(this.group.read(which, max, block, {
      timeout: this.options.patience + (block ?? 0),
      late: (reply) => {
        this.open--
        if (reply === undefined) this.lostAnswers = true
        else this.giveBack(this.group.foundIn(reply))
      }
    })))
  }

  /** An answer that is to come counts until it is there: also the one that an interrupted read does not wait for. */
  private counted(read: Read): Read {
    return Effect.suspend(() => {
      this.open++
      return Effect.onExit(read, (exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) this.open--
          else if (!Exit.hasInterrupts(exit)) {
            this.open--
            this.lostAnswers = true
          }
        }))
    })
  }

  /** Looks after the group, and adds what was claimed. */
  private tend(max: number, found: Array<Found>, restore: Restore): Effect.Effect<void, RedisError> {
    return Effect.suspend(() => {
      const left = max - found.length
      this.nextLook = this.now + this.options.poll
      return Effect.map(
        Effect.onExit(restore(this.group.tend(left)), (exit) =>
          Effect.sync(() => {
            if (Exit.isFailure(exit)) this.lostAnswers = true
          })),
        ({ claimed, dueIn, moved }) => {
          found.push(...claimed)
          if (moved > 0) this.isAgainBusy = true
          if (claimed.length >= left) this.nextLook = 0
          else if (dueIn !== undefined) this.dueIn(dueIn)
        }
      )
    })
  }

  /** What came with a lost answer is ours: it is handed over now instead of after its lease. */
  private recover(restore: Restore): Read {
    if (!this.lostAnswers || this.open > 0) return Effect.succeed(nothing)
    this.lostAnswers = false
    return Effect.onExit(restore(this.group.orphans(this.options.isKnown)), (exit) =>
      Effect.sync(() => {
        if (Exit.isFailure(exit)) this.lostAnswers = true
      }))
  }

  private pause(millis: number): Effect.Effect<void> {
    return Effect.raceFirst(
      this.clock.sleep(Duration.millis(millis)),
      Effect.callback<void>((resume) => {
        const wake = () => {
          this.wakers.delete(wake)
          resume(Effect.void)
        }
        this.wakers.add(wake)
        return Effect.sync(() => void this.wakers.delete(wake))
      })
    )
  }
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

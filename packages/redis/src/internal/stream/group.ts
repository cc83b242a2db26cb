/**
 * One consumer of one group at one stream: every command that the source needs, each a round trip or less. The group is
 * made when it is missed: at the first command, and again after a flush, a failover or a `XGROUP DESTROY`.
 */
import * as Effect from "effect/Effect"
import { RedisError } from "../../RedisError.ts"
import type { Connection, SendOptions } from "../client/connection.ts"
import { replyCode } from "../client/reason.ts"
import type { Keys } from "./keys.ts"
import type { Receipt } from "./receipt.ts"
import * as adding from "./scripts/adding.ts"
import * as reading from "./scripts/reading.ts"
import type { Script } from "./scripts/script.ts"
import * as settling from "./scripts/settling.ts"

export interface GroupOptions {
  readonly keys: Keys
  readonly group: string
  readonly consumer: string
  /** Where a new group begins: `0` or `$`. */
  readonly start: "0" | "$"
  /** Milliseconds. */
  readonly lease: number
  /** Milliseconds that what is done is kept; `undefined` where it is deleted when no group wants it any more. */
  readonly keep: number | undefined
}

/** An entry as it was handed over. */
export interface Found {
  readonly which: 1 | 2
  readonly id: string
  readonly count: number
  readonly fields: ReadonlyArray<unknown>
}

export interface Tended {
  readonly claimed: ReadonlyArray<Found>
  /** Milliseconds until the next one is due, where one is delayed. */
  readonly dueIn: number | undefined
  readonly moved: number
}

export type Move =
  | { readonly receipt: Receipt; readonly to: "again"; readonly raise: boolean }
  | { readonly receipt: Receipt; readonly to: "delay"; readonly delay: number }
  | { readonly receipt: Receipt; readonly to: "dead"; readonly reason: string; readonly letter: string }

/** A consumer that was idle for longer is taken out of the group, when it holds nothing. */
const forgottenAfter = 3_600_000
/** What is old is looked for once in so many times. */
const forgetsEvery = 60

/** Runs a script by its hash; the server that does not know it yet gets its text. */
export const run = (
  connection: Connection,
  script: Script,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<string>
): Effect.Effect<unknown, RedisError> => {
  const rest = [String(keys.length), ...keys, ...args]
  return Effect.catchIf(
    connection.send(["EVALSHA", script.sha, ...rest]),
    ({ reason }) => replyCode(reason.cause) === "NOSCRIPT",
    () => connection.send(["EVAL", script.lua, ...rest])
  ).pipe(Effect.mapError(({ reason }) => new RedisError({ command: `script ${script.name}`, reason })))
}

/** The places in an answer. */
export const placesOf = (answer: unknown): ReadonlyArray<number> => Array.isArray(answer) ? answer.map(Number) : []

const isMissingGroup = ({ reason }: RedisError): boolean =>
  replyCode(reason.cause) === "NOGROUP" ||
  // A script tells it in its own words, and XINFO of a key that is not there otherwise.
  /NOGROUP|no such key|No such key/.test(reason.message)

export class Group {
  private readonly connection: Connection
  private readonly blocking: Connection
  readonly options: GroupOptions
  private readonly both: readonly [string, string]
  private readonly who: readonly [string, string]
  private readonly deletes: string
  private start: "0" | "$"
  private untilForgetting = 0
  /** Whether the server may know of this consumer. */
  private isJoined = false

  constructor(connection: Connection, blocking: Connection, options: GroupOptions) {
    this.connection = connection
    this.blocking = blocking
    this.options = options
    this.both = [options.keys.stream, options.keys.again]
    this.who = [options.group, options.consumer]
    this.deletes = options.keep === undefined ? "1" : "0"
    this.start = options.start
  }

  private key(which: 1 | 2): string {
    return this.both[which - 1] ?? ""
  }

  private eval(script: Script, keys: ReadonlyArray<string>, args: ReadonlyArray<string>) {
    return run(this.connection, script, keys, args)
  }

  /** What was missed once had its beginning: nothing that came since is left out. */
  get ensure(): Effect.Effect<void, RedisError> {
    return Effect.flatMap(
      this.eval(reading.ensure, this.both, [this.options.group, this.start]),
      () =>
        Effect.sync(() => {
          this.start = "0"
        })
    )
  }

  /** Makes the group where it is missing, and tries again. */
  private healed<A>(effect: Effect.Effect<A, RedisError>): Effect.Effect<A, RedisError> {
    this.isJoined = true
    return Effect.catchIf(effect, isMissingGroup, () => Effect.andThen(this.ensure, effect))
  }

  /**
   * Reads what nobody was handed yet, at most `max` of each of these. With `block` it waits that many milliseconds for the
   * first, on the connection of its own.
   */
  read(
    which: ReadonlyArray<1 | 2>,
    max: number,
    block: number | undefined,
    options: SendOptions
  ): Effect.Effect<ReadonlyArray<Found>, RedisError> {
    const args = ["XREADGROUP", "GROUP", ...this.who, "COUNT", String(max)]
    if (block !== undefined) args.push("BLOCK", String(block))
    args.push("STREAMS", ...which.map((one) => this.key(one)), ...which.map(() => ">"))
    const connection = block === undefined ? this.connection : this.blocking
    return Effect.map(this.healed(connection.send(args, options)), (reply) => this.foundIn(reply))
  }

  foundIn(reply: unknown): ReadonlyArray<Found> {
    const found: Array<Found> = []
    for (const part of Array.isArray(reply) ? reply : []) {
      const [key, entries]: [unknown, unknown] = part
      const which = key === this.both[1] ? 2 : 1
      for (const [id, fields] of Array.isArray(entries) ? entries : []) {
        found.push({ which, id, count: 1, fields: Array.isArray(fields) ? fields : [] })
      }
    }
    return found
  }

  /** The number of the blocking connection at the server. */
  get blockingId(): Effect.Effect<string, RedisError> {
    return Effect.map(this.blocking.send(["CLIENT", "ID"]), String)
  }

  /** Ends a blocking read before its time; it answers with nothing. */
  unblock(id: string): void {
    void this.connection.post(["CLIENT", "UNBLOCK", id])
  }

  tend(max: number): Effect.Effect<Tended, RedisError> {
    const { keys, keep, lease } = this.options
    return Effect.suspend(() => {
      const forgets = this.untilForgetting-- <= 0
      if (forgets) this.untilForgetting = forgetsEvery
      return Effect.map(
        this.healed(this.eval(reading.tend, [...this.both, keys.delayed, keys.ids], [
          ...this.who,
          String(lease),
          String(max),
          String(keep ?? 0),
          forgets ? String(Math.max(forgottenAfter, 10 * lease)) : "0"
        ])),
        (reply) => {
          const [claimed, dueIn, moved]: Array<unknown> = Array.isArray(reply) ? reply : []
          return {
            claimed: listed(claimed),
            dueIn: Number(dueIn) < 0 ? undefined : Number(dueIn),
            moved: Number(moved)
          }
        }
      )
    })
  }

  /** What is held according to the server and not to us, handed over again as it was. */
  orphans(isKnown: (found: Pick<Found, "which" | "id" | "count">) => boolean) {
    return Effect.flatMap(this.healed(this.eval(reading.mine, this.both, this.who)), (reply) => {
      const args: Array<string> = []
      for (const { count, id, which } of listed(reply)) {
        if (!isKnown({ which, id, count })) args.push(String(which), id, String(count))
      }
      return args.length === 0
        ? Effect.succeed<ReadonlyArray<Found>>([])
        : Effect.map(this.eval(reading.readAgain, this.both, [...this.who, ...args]), listed)
    })
  }

  /** Acknowledges entries of one stream; answers with the places of those that are not held. */
  acknowledge(which: 1 | 2, receipts: ReadonlyArray<Receipt>): Effect.Effect<ReadonlyArray<number>, RedisError> {
    const deletes = which === 2 ? "1" : this.deletes
    const args = [...this.who, deletes, String(receipts.length)]
    const others: Array<string> = []
    receipts.forEach(({ asked, count, id }, place) => {
      args.push(id)
      if (count !== 1 || asked) others.push(String(place), String(count), asked ? "1" : "0")
    })
    args.push(String(others.length / 3), ...others)
    receipts.forEach(({ unique }, place) => {
      if (unique !== undefined) args.push(String(place), unique.id, unique.retention)
    })
    return Effect.map(this.eval(settling.acknowledge, [this.key(which), this.options.keys.ids], args), placesOf)
  }

  /** Moves deliveries to where they wait, or stay; answers with the places of those that are not held. */
  move(moves: ReadonlyArray<Move>): Effect.Effect<ReadonlyArray<number>, RedisError> {
    return Effect.map(this.eval(settling.move, this.allKeys, this.moveArgs(moves)), placesOf)
  }

  /** Gives back what nobody was handed; says whether that is done. */
  giveBack(receipts: ReadonlyArray<Receipt>): Promise<boolean> {
    const args = this.moveArgs(receipts.map((receipt) => ({ receipt, to: "again", raise: false })))
    const keys = this.allKeys
    return this.connection.post(["EVAL", settling.move.lua, String(keys.length), ...keys, ...args])
  }

  private get allKeys(): ReadonlyArray<string> {
    const { again, dead, delayed, ids, stream } = this.options.keys
    return [stream, again, delayed, dead, ids]
  }

  private moveArgs(moves: ReadonlyArray<Move>): ReadonlyArray<string> {
    const args = [...this.who, this.deletes]
    for (const move of moves) {
      const { asked, count, id, which } = move.receipt
      const [value, letter] = move.to === "again"
        ? [move.raise ? "1" : "0", ""]
        : move.to === "delay"
        ? [String(move.delay), ""]
        : [move.reason, move.letter]
      args.push(String(which), id, String(count), asked ? "1" : "0", move.to, value, letter)
    }
    return args
  }

  /** Prolongs leases; answers with the places of those that are lost. */
  extend(which: 1 | 2, receipts: ReadonlyArray<Receipt>): Effect.Effect<ReadonlyArray<number>, RedisError> {
    const args = receipts.flatMap(({ count, id }) => [id, String(count)])
    return Effect.map(this.eval(settling.extend, [this.key(which)], [...this.who, ...args]), placesOf)
  }

  /** Claims a transaction that waits, by its id; `undefined` when none does. It looks at all that wait. */
  claim(id: string): Effect.Effect<Found | undefined, RedisError> {
    return this.healed(
      Effect.flatMap(
        this.claimFrom(2, id, ""),
        (found) => found === undefined ? this.claimFrom(1, id, "") : Effect.succeed(found)
      )
    )
  }

  private claimFrom(which: 1 | 2, id: string, from: string): Effect.Effect<Found | undefined, RedisError> {
    const [group, consumer] = this.who
    return Effect.flatMap(this.eval(reading.seek, [this.key(which)], [group, from, "500", id]), (reply) => {
      const [entry, next]: Array<unknown> = Array.isArray(reply) ? reply : []
      if (typeof entry === "string" && entry !== "") {
        const claimed = this.eval(reading.claimOne, this.both, [group, consumer, String(which), entry])
        return Effect.map(claimed, (reply) => listed(reply)[0])
      }
      return typeof next === "string" && next !== "" ? this.claimFrom(which, id, next) : Effect.undefined
    })
  }

  /** Gives everything back and leaves the group. */
  leave(handedOver: ReadonlyArray<Receipt>): Effect.Effect<void, RedisError> {
    if (!this.isJoined) return Effect.void
    const args = [...this.who, this.deletes, ...handedOver.flatMap(({ id, which }) => [String(which), id])]
    return Effect.flatMap(
      this.eval(settling.leave, this.both, args),
      (left) => Number(left) > 0 ? this.leave(handedOver) : Effect.void
    ).pipe(Effect.catchIf(isMissingGroup, () => Effect.void))
  }

  get count(): Effect.Effect<readonly [ready: number, inFlight: number, delayed: number], RedisError> {
    const { delayed } = this.options.keys
    return Effect.map(
      this.eval(reading.count, [...this.both, delayed], [this.options.group, this.deletes]),
      (reply) => {
        const [ready, inFlight, later]: Array<unknown> = Array.isArray(reply) ? reply : []
        return [Number(ready), Number(inFlight), Number(later)]
      }
    )
  }

  /** Adds transactions to what is delivered again, each once until it has ended. */
  takeBack(transactions: ReadonlyArray<ReadonlyArray<string>>): Effect.Effect<void, RedisError> {
    const { again, ids } = this.options.keys
    const args = transactions.flatMap((fields) => [String(fields.length), ...fields])
    return Effect.asVoid(this.eval(adding.addUnique, [again, ids], ["0", "1", ...args]))
  }

  putBack(letters: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, RedisError> {
    const { again, dead, ids } = this.options.keys
    return Effect.map(
      this.eval(adding.putBack, [dead, again, ids], letters),
      (reply) => Array.isArray(reply) ? reply.map(String) : []
    )
  }
}

const listed = (reply: unknown): ReadonlyArray<Found> =>
  Array.isArray(reply)
    ? reply.map(([which, id, count, fields]) => ({ which: which === 2 ? 2 : 1, id, count: Number(count), fields }))
    : []

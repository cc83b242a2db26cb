/**
 * A connection that is opened when it is needed, and again when it was lost.
 *
 *     away -> opening -> open -> away     lost, or a command had no answer in time
 *              |                          a failure goes to everybody who waits for it
 *              +-> away
 *     any -> closed
 *
 * A command that gets no answer within its time ends the connection: on one that a frozen server holds, nothing behind
 * it would be answered either. So nothing piles up, and a lost command is known to be lost. Worst case of a command:
 * `connectTimeout` and its own time, `commandTimeout` unless it says otherwise.
 *
 * Of a cluster it holds the node that serves its keys: it follows what `MOVED` says, and asks the next node when one is
 * gone.
 */
import { Reason } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { RedisError } from "../../RedisError.ts"
import { reasonOf, replyCode } from "./reason.ts"
import type { Settings } from "./settings.ts"
import type { Address, Wire } from "./wire.ts"

export interface SendOptions {
  /** Milliseconds; instead of `commandTimeout`. */
  readonly timeout?: number | undefined
  /** Gets the reply that comes after the effect was interrupted, and `undefined` once it is known that none comes. */
  readonly late?: ((reply: unknown) => void) | undefined
}

// How long credentials that were accepted before may be refused until that counts as final.
const refusedFor = 60_000
const mostHops = 5

const closedReason = new Reason.ConnectionLost({ message: "the client is closed" })

export class Connection {
  private readonly settings: Settings
  private readonly openWire: (address: Address) => Promise<Wire>
  private wire: Wire | undefined
  private opening: Promise<Wire> | undefined
  private isClosed = false
  private address: Address
  private known: ReadonlyArray<Address>
  private accepted = false
  private refusedSince: number | undefined

  constructor(settings: Settings, openWire: (address: Address) => Promise<Wire>) {
    this.settings = settings
    this.openWire = openWire
    this.address = settings.addresses[0]
    this.known = settings.addresses
  }

  /** Sends one command. An interrupted one is not sent if it is not on its way yet; else it may still take effect. */
  send(args: ReadonlyArray<string>, options: SendOptions = {}): Effect.Effect<unknown, RedisError> {
    return Effect.callback<unknown, RedisError>((resume) => {
      const aborter = new AbortController()
      let over = false
      this.ask(args, options.timeout ?? this.settings.commandTimeout, aborter.signal).then(
        (reply) => {
          if (over) return options.late?.(reply)
          over = true
          resume(Effect.succeed(reply))
        },
        (error: unknown) => {
          if (over) return options.late?.(undefined)
          over = true
          resume(Effect.fail(this.errorOf(args, error)))
        }
      )
      return Effect.sync(() => {
        over = true
        aborter.abort()
      })
    })
  }

  /**
   * Sends commands of one kind in one round trip; answers for each with its reply or its error. Those of an interrupted
   * one may still take effect. In a cluster they are sent one by one.
   */
  sendAll(
    commands: ReadonlyArray<ReadonlyArray<string>>
  ): Effect.Effect<ReadonlyArray<Result.Result<unknown, RedisError>>> {
    const [first = []] = commands
    if (this.settings.cluster || commands.length === 1) {
      return Effect.forEach(commands, (command) => Effect.result(this.send(command)), { concurrency: "unbounded" })
    }
    return Effect.callback((resume) => {
      this.askAll(commands).then(
        (answers) =>
          resume(Effect.succeed(
            answers.map((answer) =>
              answer instanceof Failed
                ? Result.fail(this.errorOf(first, answer.error))
                : Result.succeed(answer)
            )
          )),
        (error: unknown) =>
          resume(Effect.sync(() => {
            const failure = this.errorOf(first, error)
            return commands.map(() => Result.fail(failure))
          }))
      )
    })
  }

  private async askAll(commands: ReadonlyArray<ReadonlyArray<string>>): Promise<ReadonlyArray<unknown>> {
    const wire = await this.open()
    return await this.within(wire, this.settings.commandTimeout, () =>
      Promise.all(
        commands.map((command) => wire.sendCommand(command).catch((error: unknown) => new Failed(error)))
      ))
  }

  /** The answer of a wire; where there is none in time, the wire is ended. */
  private async within<A>(wire: Wire, timeout: number, ask: () => Promise<A>): Promise<A> {
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<A>((resolve, reject) => {
        timer = setTimeout(() => {
          reject(new Unanswered(`no answer in ${timeout} ms`))
          this.drop(wire)
        }, timeout)
        ask().then(resolve, reject)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  /** Sends a command outside of any fiber; says whether it was answered. */
  post(args: ReadonlyArray<string>): Promise<boolean> {
    return this.ask(args, this.settings.commandTimeout).then(() => true, () => false)
  }

  /** Ends it; what is in flight fails, and so does what comes later. */
  close(): void {
    this.isClosed = true
    this.wire?.destroy()
    this.wire = undefined
  }

  private errorOf([command = ""]: ReadonlyArray<string>, error: unknown): RedisError {
    const reason = error instanceof Unanswered
      ? new Reason.Timeout({ message: error.message })
      : this.isClosed
      ? closedReason
      : this.withGrace(reasonOf(error))
    return new RedisError({ command, reason })
  }

  /** A server that was just restored may not know the users yet: who was accepted before is not refused at once. */
  private withGrace(reason: Reason.Reason): Reason.Reason {
    if (reason._tag !== "Unauthorized" || !this.accepted || replyCode(reason.cause) === "NOPERM") return reason
    const now = Date.now()
    this.refusedSince ??= now
    return now - this.refusedSince > refusedFor
      ? reason
      : new Reason.ConnectionLost({
        message: `the server refuses credentials that it accepted before: ${reason.message}`,
        cause: reason.cause
      })
  }

  private async ask(
    args: ReadonlyArray<string>,
    timeout: number,
    abortSignal?: AbortSignal,
    hops = 0
  ): Promise<unknown> {
    const wire = await this.open()
    if (abortSignal?.aborted === true) throw new Error("interrupted")
    try {
      return await this.within(
        wire,
        timeout,
        () => wire.sendCommand(args, abortSignal === undefined ? {} : { abortSignal })
      )
    } catch (error) {
      const code = replyCode(error)
      // A replica that was a master, or a server about to end: where it is now, the next connection will find.
      if (code === "READONLY" || code === "MASTERDOWN" || code === undefined && !wire.isReady) this.drop(wire)
      if (code !== "MOVED" || !this.settings.cluster || hops === mostHops) throw error
      this.follow(error, wire)
      return await this.ask(args, timeout, abortSignal, hops + 1)
    }
  }

  private drop(wire: Wire): void {
    if (this.wire === wire) this.wire = undefined
    wire.destroy()
  }

  private follow(moved: unknown, wire: Wire): void {
    const [, host, port] = /^MOVED [0-9]+ (.*):([0-9]+)/.exec(moved instanceof Error ? moved.message : "") ?? []
    if (port === undefined) return
    // Another command may have followed already.
    if (this.wire !== wire) return
    this.address = { host: host === undefined || host === "" ? this.address.host : host, port: Number(port) }
    this.remember([this.address])
    this.drop(wire)
  }

  private remember(addresses: ReadonlyArray<Address>): void {
    const fresh = addresses.filter(({ host, port }) =>
      !this.known.some((one) => one.host === host && one.port === port)
    )
    this.known = [...this.known, ...fresh]
  }

  private open(): Promise<Wire> {
    if (this.isClosed) return Promise.reject(new Error("the client is closed"))
    if (this.wire?.isReady === true) return Promise.resolve(this.wire)
    return this.opening ??= this.reopen().finally(() => void (this.opening = undefined))
  }

  private async reopen(): Promise<Wire> {
    this.wire?.destroy()
    this.wire = undefined
    try {
      const wire = await this.openWire(this.address)
      if (this.isClosed) {
        wire.destroy()
        throw new Error("the client is closed")
      }
      if (this.settings.cluster) this.remember(nodesOf(await wire.sendCommand(["CLUSTER", "SLOTS"]), this.address))
      this.accepted = true
      this.refusedSince = undefined
      this.wire = wire
      return wire
    } catch (error) {
      if (replyCode(error) === undefined) this.nextAddress()
      throw error
    }
  }

  private nextAddress(): void {
    const { host, port } = this.address
    const place = this.known.findIndex((one) => one.host === host && one.port === port)
    this.address = this.known[(place + 1) % this.known.length] ?? this.settings.addresses[0]
  }
}

/** A command had no answer in its time. */
class Unanswered extends Error {}

/** What one of several commands failed with. */
class Failed {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/** The nodes of an answer to `CLUSTER SLOTS`. */
const nodesOf = (slots: unknown, { host }: Address): ReadonlyArray<Address> => {
  const addresses: Array<Address> = []
  for (const range of Array.isArray(slots) ? slots : []) {
    for (const node of Array.isArray(range) ? range.slice(2) : []) {
      if (!Array.isArray(node) || typeof node[1] !== "number") continue
      addresses.push({ host: typeof node[0] === "string" && node[0] !== "" ? node[0] : host, port: node[1] })
    }
  }
  return addresses
}

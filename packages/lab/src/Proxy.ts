/**
 * A TCP proxy on a port of its own that a test puts between a client and its server: it cuts, stalls and refuses.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { connect, createServer, type Socket } from "node:net"

/**
 * A proxy in front of one server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Proxy {
  readonly port: number
  /** How many connections it holds now. */
  readonly connections: Effect.Effect<number>
  /** How many it has accepted so far. */
  readonly accepted: Effect.Effect<number>
  /** Resets every connection at once. New ones are let through. */
  readonly cut: Effect.Effect<void>
  /** Cuts the connection that carries the byte of this number, counted from now, in this direction: in mid-message. */
  readonly cutAfter: (bytes: number, direction: "toServer" | "toClient") => Effect.Effect<void>
  /** Holds all bytes of both directions back; connections stay open. */
  readonly stall: Effect.Effect<void>
  /** Lets them through again. */
  readonly flow: Effect.Effect<void>
  /** Cuts everything and resets new connections as they come. */
  readonly refuse: Effect.Effect<void>
  /** Accepts again. */
  readonly accept: Effect.Effect<void>
}

/**
 * Stands in front of this port of the loopback interface.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (target: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pairs = new Set<readonly [Socket, Socket]>()
    let accepted = 0
    let refusing = false
    let stalled = false
    const left = { toServer: Infinity, toClient: Infinity }
    const cut = () => {
      for (const [client, server] of pairs) {
        client.resetAndDestroy()
        server.resetAndDestroy()
      }
      pairs.clear()
    }
    const carry = (from: Socket, to: Socket, direction: "toServer" | "toClient", end: () => void) =>
      from.on("data", (chunk) => {
        if (left[direction] < chunk.length) {
          const rest = chunk.subarray(0, left[direction])
          left[direction] = Infinity
          to.write(rest, () => end())
          return
        }
        left[direction] -= chunk.length
        if (!to.write(chunk)) {
          from.pause()
          to.once("drain", () => {
            if (!stalled) from.resume()
          })
        }
      })
    const listener = createServer((client) => {
      if (refusing) {
        client.resetAndDestroy()
        return
      }
      accepted++
      const server = connect({ host: "127.0.0.1", port: target })
      const pair = [client, server] as const
      pairs.add(pair)
      const end = () => {
        pairs.delete(pair)
        client.destroy()
        server.destroy()
      }
      const reset = () => {
        pairs.delete(pair)
        client.resetAndDestroy()
        server.resetAndDestroy()
      }
      carry(client, server, "toServer", reset)
      carry(server, client, "toClient", reset)
      client.on("end", () => server.end())
      server.on("end", () => client.end())
      for (const socket of pair) socket.setNoDelay(true).on("error", end).on("close", end)
      if (stalled) { for (const socket of pair) socket.pause() }
    })
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        listener.listen(0, "127.0.0.1", () => {
          const address = listener.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      }),
      () =>
        Effect.callback<void>((resume) => {
          listener.close(() => resume(Effect.void))
          cut()
        })
    )
    return {
      port,
      connections: Effect.sync(() => pairs.size),
      accepted: Effect.sync(() => accepted),
      cut: Effect.sync(cut),
      cutAfter: (bytes, direction) => Effect.sync(() => void (left[direction] = bytes)),
      stall: Effect.sync(() => {
        stalled = true
        for (const pair of pairs) for (const socket of pair) socket.pause()
      }),
      flow: Effect.sync(() => {
        stalled = false
        for (const pair of pairs) for (const socket of pair) socket.resume()
      }),
      refuse: Effect.sync(() => {
        refusing = true
        cut()
      }),
      accept: Effect.sync(() => void (refusing = false))
    }
  })

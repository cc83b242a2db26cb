/**
 * Ports of the loopback interface.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { connect, createServer } from "node:net"

// Below the ports that systems give to outgoing connections, which could take one before its server starts.
const lowest = 10_240
const highest = 32_000

const listens = (port: number): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/**
 * A port that nobody listened on a moment ago.
 *
 * @category constructors
 * @since 0.1.0
 */
export const free: Effect.Effect<number> = Effect.gen(function*() {
  while (true) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (yield* listens(port)) return port
  }
})

/**
 * Whether something accepts connections there within a second.
 *
 * @category constructors
 * @since 0.1.0
 */
export const accepts = (port: number): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = connect({ host: "127.0.0.1", port })
    const end = (yes: boolean) => {
      socket.destroy()
      resume(Effect.succeed(yes))
    }
    socket.setTimeout(1_000, () => end(false))
    socket.once("connect", () => end(true))
    socket.once("error", () => end(false))
    return Effect.sync(() => void socket.destroy())
  })

/**
 * Ports of the loopback interface.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { connect, createServer } from "node:net"

/**
 * A port that nobody listened on a moment ago.
 *
 * @category constructors
 * @since 0.1.0
 */
export const free: Effect.Effect<number> = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
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

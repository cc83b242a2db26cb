/**
 * A proxy that understands frames: it swallows methods of the broker that a broken network or server would.
 */
import * as Effect from "effect/Effect"
import { connect, createServer, type Socket } from "node:net"

/** The number of a method: class and method id, as in the specification. */
export const methods = { cancel: 60 * 65_536 + 30, deliver: 60 * 65_536 + 60 } as const

const isMethod = 1

/** Calls `keep` for each frame that comes from the broker, and passes on those that it answers with true. */
export const frames = (target: number) =>
  Effect.gen(function*() {
    const swallowed = new Set<number>()
    let count = 0
    const sockets = new Set<Socket>()
    const listener = createServer((client) => {
      const server = connect({ host: "127.0.0.1", port: target })
      let rest = Buffer.alloc(0)
      // Of a delivery, its header and body are swallowed with it.
      const content = new Set<number>()
      server.on("data", (chunk) => {
        rest = Buffer.concat([rest, chunk])
        while (rest.length >= 7) {
          const end = 8 + rest.readUInt32BE(3)
          if (rest.length < end) break
          const frame = rest.subarray(0, end)
          rest = rest.subarray(end)
          const channel = frame.readUInt16BE(1)
          const method = frame[0] === isMethod ? frame.readUInt32BE(7) : undefined
          if (method === undefined && content.has(channel)) continue
          content.delete(channel)
          if (method !== undefined && swallowed.has(method)) {
            count++
            if (method === methods.deliver) content.add(channel)
            continue
          }
          client.write(frame)
        }
      })
      client.on("data", (chunk) => server.write(chunk))
      for (const socket of [client, server]) {
        sockets.add(socket)
        socket.setNoDelay(true).on("error", () => {}).on("close", () => {
          client.destroy()
          server.destroy()
        })
      }
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
          for (const socket of sockets) socket.destroy()
        })
    )
    return {
      port,
      /** How many were swallowed. */
      swallowed: Effect.sync(() => count),
      swallow: (method: number) => Effect.sync(() => void swallowed.add(method)),
      pass: Effect.sync(() => swallowed.clear())
    }
  })

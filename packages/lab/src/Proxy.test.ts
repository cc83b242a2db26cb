import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { connect, createServer, type Socket } from "node:net"
import { assert, describe } from "vitest"
import { Proxy } from "./index.ts"

/** A server that sends back what it gets. */
const echo = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {}).pipe(socket)
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const close = () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }
      resume(Effect.succeed({ port, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

/** What comes back until the connection ends or `size` bytes are there. */
const exchange = (port: number, text: string, size = text.length) =>
  Effect.callback<string>((resume) => {
    let got = ""
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(text))
    const end = () => resume(Effect.succeed(got))
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      got += chunk
      if (got.length >= size) {
        socket.destroy()
        end()
      }
    })
    socket.on("error", end).on("close", end)
    return Effect.sync(() => void socket.destroy())
  })

describe("Proxy", () => {
  it.live("carries bytes, cuts in mid-message, refuses and accepts again", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const proxy = yield* Proxy.make(server.port)
      assert.strictEqual(yield* exchange(proxy.port, "whole"), "whole")
      yield* proxy.cutAfter(3, "toServer")
      assert.isBelow((yield* exchange(proxy.port, "sliced")).length, 6)
      assert.strictEqual(yield* exchange(proxy.port, "whole again"), "whole again")
      yield* proxy.refuse
      assert.strictEqual(yield* exchange(proxy.port, "refused"), "")
      yield* proxy.accept
      assert.strictEqual(yield* exchange(proxy.port, "accepted"), "accepted")
    }))

  it.live("holds bytes back while it stalls", () =>
    Effect.gen(function*() {
      const server = yield* echo
      const proxy = yield* Proxy.make(server.port)
      yield* proxy.stall
      assert.isTrue((yield* Effect.timeoutOption(exchange(proxy.port, "late"), "200 millis"))._tag === "None")
      yield* proxy.flow
      assert.strictEqual(yield* exchange(proxy.port, "in time"), "in time")
    }))
})

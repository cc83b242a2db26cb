/**
 * A collector in a process of its own: it takes every request and keeps nothing. It prints `port N`; told `slow` on its
 * input, it answers two seconds late from then on.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const late = 2000

let wait = 0

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    const answer = () => void response.writeHead(200, { "content-type": "application/json" }).end("{}")
    if (wait === 0) answer()
    else setTimeout(answer, wait)
  })
})
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`)
})
process.stdin.setEncoding("utf8").on("data", (line: string) => {
  if (line.trim() === "slow") wait = late
})

/**
 * A collector of its own process, that can be stopped and killed: `collector.ts PORT HOW`. HOW is how it answers: `ok`, a
 * status, or `slow` for ten seconds later. It prints `port N` when it listens, then `traces N spans M` after every
 * request, counted over all of them.
 */
import { ok, receive, status } from "./receiver.ts"

const [, , port, how] = process.argv
let requests = 0

const receiver = await receive({
  port: Number(port ?? 0),
  onRequest: () => {
    requests++
    process.stdout.write(`requests ${requests} spans ${receiver.spans.length}\n`)
  }
})
if (how === "slow") {
  receiver.answer((response) => {
    setTimeout(() => ok(response), 10_000)
  })
} else if (how !== undefined && how !== "ok") receiver.answer(status(Number(how)))
process.stdout.write(`port ${receiver.port}\n`)

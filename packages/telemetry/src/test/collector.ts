/**
 * A collector of its own process, that can be stopped and killed: `collector.ts PORT`. It prints `port N` when it
 * listens, then `spans N` after every request, counted over all of them.
 */
import { receive } from "./receiver.ts"

const receiver = await receive({
  port: Number(process.argv[2] ?? 0),
  onRequest: () => process.stdout.write(`spans ${receiver.spans.length}\n`)
})
process.stdout.write(`port ${receiver.port}\n`)

/**
 * A consumer in a process of its own: `consumer.ts SYSTEM QUEUE COUNT`. Begins at a line on its input, and says, in
 * milliseconds since 1970, when its first transaction began and when its last was settled.
 */
import { once } from "node:events"
import { served } from "./systems.ts"

const [, , name, queue = "", count = "0"] = process.argv
const system = served.find((one) => one.name === name)
if (system === undefined) throw new Error(`no system ${name}`)
const consumer = system.ours(queue)
process.stdout.write("ready\n")
await once(process.stdin, "data")
const took = await consumer.consume(Number(count))
const ended = performance.timeOrigin + performance.now()
process.stdout.write(`${JSON.stringify({ began: ended - took, ended })}\n`)
// Nothing else keeps it alive; what is left of the queue is its parent's.
process.stdin.destroy()

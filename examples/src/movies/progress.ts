/**
 * What is seen while the films are worked on: one line that is written anew on a terminal, a line per second elsewhere.
 */
import { Connector, type Control } from "@ergon/core"
import { Clock, Effect, Schedule } from "effect"
import { Films } from "./pipeline.ts"

export const number = (n: number): string => n.toLocaleString("en-US")

/** How many films are not done: ready, delayed, or with this run or another one. */
export const waiting = Effect.map(Connector.count(Films), ({ delayed, inFlight, ready }) => ready + inFlight + delayed)

/** Shows how far the run is, and drains it once nothing waits. What a killed run held waits until its lease is over. */
export const follow = (control: Control.Control, total: number) =>
  Effect.gen(function*() {
    const terminal = process.stdout.isTTY
    const before = yield* waiting
    const started = yield* Clock.currentTimeMillis
    const look = Effect.gen(function*() {
      const rest = yield* waiting
      const { inFlight } = yield* control.status
      const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
      const speed = Math.round((before - rest) / Math.max(seconds, 0.1))
      const done = Math.round((total - rest) / total * 30)
      const line = `  ${"█".repeat(done)}${"░".repeat(30 - done)}  ${number(total - rest)} of ${number(total)}` +
        `   ${inFlight} in flight   ${number(speed)}/s`
      process.stdout.write(terminal ? `\r\x1b[2K${line}${rest === 0 ? "\n" : ""}` : `${line}\n`)
      return rest
    })
    yield* look.pipe(
      Effect.repeat({ until: (rest) => rest === 0, schedule: Schedule.spaced(terminal ? "100 millis" : "1 second") })
    )
    yield* control.drain
  })

/**
 * What is seen while the films are worked on: one line that is written anew on a terminal, a line per second elsewhere.
 */
import { Connector, type Control } from "@ergon/core"
import { Clock, Effect, Schedule } from "effect"
import { Films } from "./pipeline.ts"

export const number = (n: number): string => n.toLocaleString("en-US")

/** How many films are not done: ready, delayed, or with this run or another one. */
export const waiting = Effect.map(Connector.count(Films), ({ delayed, inFlight, ready }) => ready + inFlight + delayed)

const bar = (done: number, total: number): string => "█".repeat(30 * done / total).padEnd(30, "░")

/** Shows how far the run is, and drains it once nothing waits. What a killed run held waits until its lease is over. */
export const follow = Effect.fnUntraced(function*(control: Control.Control, total: number) {
  const terminal = process.stdout.isTTY
  const before = yield* waiting
  const started = yield* Clock.currentTimeMillis
  let looks = 0
  const look = Effect.gen(function*() {
    const rest = yield* waiting
    const { inFlight } = yield* control.status
    const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
    const line = `  ${bar(total - rest, total)}  ${number(total - rest)} of ${number(total)}` +
      `   ${inFlight} in flight   ${number(Math.round((before - rest) / Math.max(seconds, 0.1)))}/s`
    if (terminal) process.stdout.write(`\r\x1b[2K${line}${rest === 0 ? "\n" : ""}`)
    else if (looks++ % 10 === 0 || rest === 0) process.stdout.write(`${line}\n`)
    return rest
  })
  yield* Effect.repeat(look, { until: (rest) => rest === 0, schedule: Schedule.spaced("100 millis") })
  yield* control.drain
})

/**
 * The end of telemetry: what is left is sent, all signals at once, and within a bound.
 */
import * as Duration from "effect/Duration"
import type { Outlets } from "./signals/outlets.ts"

/** A provider, a reader or a processor of the SDK, or a file. */
export interface Closing {
  readonly close: () => Promise<unknown>
}

const settled = (closing: Closing): Promise<unknown> =>
  // What a part of the SDK throws or rejects with at its end was reported as a failed export.
  Promise.resolve().then(() => closing.close()).catch(() => undefined)

/** Whether all of it ended in time. Worst case: the bound. */
export const closeAll = async (
  parts: ReadonlyArray<Closing>,
  outlets: Outlets | undefined,
  bound: Duration.Duration
): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Duration.toMillis(bound))
  })
  const inTime = await Promise.race([late, Promise.all(parts.map(settled)).then(() => true)])
  clearTimeout(timer)
  outlets?.close()
  return inTime
}

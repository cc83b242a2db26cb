/** How long one takes from its enqueue to its settlement, at a steady rate. */
import type { Contender } from "./contender.ts"

export interface Latency {
  readonly p50: number
  readonly p99: number
}

/** In milliseconds. `perSecond` are enqueued in steps of 5 ms for so many seconds; the first second does not count. */
export const latency = async (contender: Contender, perSecond: number, seconds: number): Promise<Latency> => {
  const begun = new Map<number, number>()
  const took: Array<number> = []
  const warm = performance.now() + 1000
  let waiting = 0
  let idle: (() => void) | undefined
  const stop = await contender.start((n) => {
    const started = begun.get(n)
    if (started === undefined) return
    begun.delete(n)
    const now = performance.now()
    if (started > warm) took.push(now - started)
    if (--waiting === 0) idle?.()
  })
  const total = Math.max(1, Math.round(perSecond * (seconds + 1)))
  const started = performance.now()
  let sent = 0
  const sending: Array<Promise<void>> = []
  while (sent < total) {
    const due = Math.min(total, Math.ceil((performance.now() - started) / 1000 * perSecond))
    for (; sent < due; sent++) {
      begun.set(sent, performance.now())
      waiting++
      sending.push(contender.enqueue(sent))
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await Promise.all(sending)
  if (waiting > 0) await new Promise<void>((resolve) => void (idle = resolve))
  await stop()
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
  return { p50: at(0.5), p99: at(0.99) }
}

/**
 * Whether a collector takes what it is sent, told once per change.
 *
 * States:
 * - `up`: until an export of any signal fails, or a queue is full because it does not keep up.
 * - `down`: until every signal that failed has succeeded again, and dropped nothing since its last success. Entering it
 *   is one warning.
 * - `quiet`: as `down`, but the last warning is less than a minute old, so there is none. One more failure after that
 *   minute makes it `down`.
 *
 * Transitions: `up -> down | quiet` (a failure or a drop), `quiet -> down` (another one, a
 * minute later), `down -> up` (one line that
 * it is back), `quiet -> up` (nothing is said).
 */

export type Change =
  | { readonly type: "down"; readonly collector: string; readonly signal: string; readonly reason: string }
  | { readonly type: "up"; readonly collector: string; readonly lost: number }

const quiet = 60_000

export class Collector {
  readonly #name: string
  readonly #report: (change: Change) => void
  readonly #now: () => number
  readonly #failing = new Set<string>()
  #state: "up" | "down" | "quiet" = "up"
  readonly #dropping = new Set<string>()
  #lost = 0
  #warned = -Infinity

  constructor(name: string, report: (change: Change) => void, now: () => number) {
    this.#name = name
    this.#report = report
    this.#now = now
  }

  /** An export failed, and what was in it is lost. */
  failed(signal: string, reason: string, lost: number): void {
    this.#failing.add(signal)
    this.#lost += lost
    this.#worsen(signal, reason)
  }

  /** Something was dropped, because what it was sent before is still waiting. */
  dropped(signal: string): void {
    this.#failing.add(signal)
    this.#dropping.add(signal)
    this.#lost++
    if (this.#state !== "down") this.#worsen(signal, "it does not keep up with them")
  }

  #worsen(signal: string, reason: string): void {
    if (this.#state === "down") return
    const now = this.#now()
    if (now - this.#warned < quiet) {
      this.#state = "quiet"
      return
    }
    this.#state = "down"
    this.#warned = now
    this.#report({ type: "down", collector: this.#name, signal, reason })
  }

  succeeded(signal: string): void {
    if (this.#dropping.delete(signal)) return
    this.#failing.delete(signal)
    if (this.#state === "up" || this.#failing.size > 0) return
    const lost = this.#lost
    const told = this.#state === "down"
    this.#state = "up"
    this.#lost = 0
    if (told) this.#report({ type: "up", collector: this.#name, lost })
  }
}

/** The collectors of one Layer: signals that go to one origin share what is known about it. */
export class Collectors {
  readonly #report: (change: Change) => void
  readonly #now: () => number
  readonly #known = new Map<string, Collector>()

  constructor(report: (change: Change) => void, now: () => number = Date.now) {
    this.#report = report
    this.#now = now
  }

  at(url: string): Collector {
    const { origin } = new URL(url)
    const known = this.#known.get(origin)
    if (known !== undefined) return known
    const collector = new Collector(origin, this.#report, this.#now)
    this.#known.set(origin, collector)
    return collector
  }
}

/**
 * What the main thread and its watchdog tell each other: numbers in shared memory, so that one hears of the other
 * whatever it is doing. Milliseconds where they are times.
 */
const fields = ["beats", "allowed", "within", "tick", "state", "asked", "silent", "awake"] as const

/**
 * Written by the main thread:
 *
 * - `beats`: counts up with every beat.
 * - `allowed`: how long the next beat may take before the end is asked for; negative when nothing is watched.
 * - `within`: how long the process may take to end once it was asked to.
 * - `tick`: how often the watchdog looks.
 * - `state`: one of `State`.
 *
 * Written by the watchdog:
 *
 * - `asked`: 1 once it asks for the end; `silent`: for how long there had been no beat then.
 * - `awake`: how long it has been awake. It wraps around: only differences say something.
 */
export type Field = typeof fields[number]

/** Of the main thread: it runs, it is ending because the run is unhealthy, or the watchdog is not needed any more. */
export const State = { running: 0, ending: 1, over: 2 } as const

export const make = (): SharedArrayBuffer => new SharedArrayBuffer(fields.length * Int32Array.BYTES_PER_ELEMENT)

export class Beats {
  private readonly numbers: Int32Array<SharedArrayBuffer>

  constructor(shared: SharedArrayBuffer) {
    this.numbers = new Int32Array(shared)
  }

  get(field: Field): number {
    return Atomics.load(this.numbers, fields.indexOf(field))
  }

  set(field: Field, value: number): void {
    Atomics.store(this.numbers, fields.indexOf(field), Math.min(value, 0x7fffffff))
  }

  /** Adds, and wraps around. */
  add(field: Field, value: number): void {
    Atomics.add(this.numbers, fields.indexOf(field), value)
  }

  /** Sleeps until `state` is another one, at most for so long. Of a thread that may block. */
  sleep(state: number, millis: number): void {
    Atomics.wait(this.numbers, fields.indexOf("state"), state, millis)
  }

  /** Sets the state, and wakes the one that sleeps. */
  enter(state: number): void {
    this.set("state", state)
    Atomics.notify(this.numbers, fields.indexOf("state"))
  }
}

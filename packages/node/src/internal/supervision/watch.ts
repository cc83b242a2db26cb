/**
 * What the watchdog thinks, one look after the other.
 *
 *     watching -> asked -> ending -> killed
 *        |          |                  ^
 *        |          +------------------+     it was asked, and did not even notice within its time
 *        +---------------> ending            the main thread has asked for its end itself
 *
 * watching: beats come in time. asked: none came for longer than allowed. ending: the main thread knows, and drains.
 * There is no way back from `asked`. Worst case from the last beat to the kill: `allowed`, and `within` twice.
 *
 * A process that was suspended is not blocked: a look that comes much later than it should counts as a short one.
 */
import { type Beats, State } from "./beats.ts"

export type Verdict = "watching" | "asked" | "ending" | "kill"

export class Watch {
  private readonly beats: Beats
  private phase: Exclude<Verdict, "kill"> = "watching"
  private lookedAt: number
  private seen = 0
  private silent = 0
  private left = 0

  constructor(beats: Beats, now: number) {
    this.beats = beats
    this.lookedAt = now
  }

  /** Looks at the beats. `now`: milliseconds on a clock that only goes forward. */
  look(now: number): Verdict {
    const { beats } = this
    const passed = Math.min(now - this.lookedAt, 2 * beats.get("tick"))
    this.lookedAt = now
    beats.add("awake", Math.round(passed))
    if (this.phase !== "ending" && beats.get("state") === State.ending) return this.enter("ending")
    if (this.phase === "watching") return this.watch(passed)
    this.left -= passed
    return this.left <= 0 ? "kill" : this.phase
  }

  private watch(passed: number): Verdict {
    const { beats } = this
    const count = beats.get("beats")
    this.silent = count === this.seen ? this.silent + passed : 0
    this.seen = count
    const allowed = beats.get("allowed")
    if (allowed < 0 || this.silent <= allowed) return "watching"
    beats.set("silent", this.silent)
    beats.set("asked", 1)
    return this.enter("asked")
  }

  private enter(phase: "asked" | "ending"): Verdict {
    this.phase = phase
    this.left = this.beats.get("within")
    return phase
  }
}

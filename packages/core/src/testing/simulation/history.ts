/**
 * What has happened in one simulation, over all of its processes: the timeline, what became of every transaction at its
 * source, what the sinks hold, and the first rule that was broken.
 */
import type { Event, Violation } from "../SimulationReport.ts"
import { hash } from "./chance.ts"
import { beginning, type Time } from "./time.ts"

export type Party = string

export class History {
  readonly events: Array<Event> = []
  violation: Violation | undefined
  /** Where each transaction has come to its end at the source. */
  readonly ended = new Map<string, "Ack" | "DeadLetter">()
  /** Every transaction that the source is known to have. */
  readonly known = new Set<string>()
  /** How often each was handed over. */
  readonly handovers = new Map<string, number>()
  /** How often anything was handed over. */
  handed = 0
  /** When something happened to a transaction the last time. */
  latest = 0
  private readonly sent = new Map<string, Array<string>>()
  private readonly time: Time
  private trace = 0

  constructor(time: Time) {
    this.time = time
  }

  /** Something has happened. `from` and `to` are parties of the diagram. */
  tell(process: number, transaction: string, text: string, from: Party = "", to: Party = ""): void {
    const at = this.time.now - beginning
    if (transaction !== "") this.latest = at
    this.trace = hash(this.trace, at, process, transaction, text)
    this.events.push({ at, process, transaction, text, from, to })
  }

  /** A rule is broken; the first one counts. */
  broken(rule: string, process: number, transaction: string, text: string): void {
    if (this.violation !== undefined) return
    this.tell(process, transaction, `✗ ${rule}: ${text}`)
    this.violation = { rule, process, transaction, text, at: this.time.now - beginning }
  }

  /** A sink holds one more. */
  received(sink: string, id: string): void {
    const ids = this.sent.get(sink)
    if (ids === undefined) this.sent.set(sink, [id])
    else ids.push(id)
  }

  receivedBy(sink: string): ReadonlyArray<string> {
    return this.sent.get(sink) ?? []
  }

  /** The transactions that have not come to their end. */
  get open(): ReadonlyArray<string> {
    return Array.from(this.known).filter((id) => !this.ended.has(id))
  }

  /** A number that is the same when everything happened in the same way. */
  fingerprint(steps: number): string {
    return hash(this.trace, steps, this.events.length).toString(16).padStart(8, "0")
  }
}

/**
 * Receipts as deliveries.
 */
import type { Delivery } from "@ergon/core/Delivery"
import { make } from "@ergon/core/Transaction"
import * as Effect from "effect/Effect"
import { Arrivals, bodyOf, deliveriesOf, digest, idOf } from "../message/decode.ts"
import { metadataOf } from "../message/headers.ts"
import type { SourceSettings } from "../settings/connectors.ts"
import type { Receipt } from "./session.ts"

const most = 100_000

/** How often each id came back over a queue that was thought to count and does not: the newest ones. */
class Returned {
  private readonly counts = new Map<string, number>()

  add(id: string): number {
    const count = (this.counts.get(id) ?? 0) + 1
    this.counts.delete(id)
    this.counts.set(id, count)
    if (this.counts.size > most) this.counts.delete(this.counts.keys().next().value!)
    return count
  }
}

const noId = "the message has no id: its producer has to set the property message_id"

export class Deliverer {
  private readonly settings: SourceSettings
  private readonly arrivals = new Arrivals()
  private readonly returned = new Returned()
  private readonly counting: ReadonlySet<string>
  private readonly warned = { id: false, count: false }
  /** What a person should be told, once each. */
  private readonly warnings: Array<string> = []

  constructor(settings: SourceSettings) {
    this.settings = settings
    this.counting = new Set(settings.queues.flatMap(({ isQuorum, name }) => isQuorum ? [name] : []))
  }

  deliver(receipt: Receipt): Delivery {
    const { message, queue: { name } } = receipt
    const { headers } = message
    const given = idOf(message)
    const { malformed, payload } = bodyOf(message)
    const id = given ?? digest(message)
    if (given === undefined) this.warnOfId(name)
    let deliveries = 0
    if (message.redelivered || headers !== undefined) deliveries = this.count(id, name, receipt)
    return {
      transaction: make(id, payload, metadataOf(headers, this.arrivals.of(name, message))),
      deliveries,
      receipt,
      key: undefined,
      partition: undefined,
      malformed: malformed ?? (given === undefined && this.settings.missingId === "reject" ? noId : undefined)
    }
  }

  /** Tells what there is to be told. */
  readonly warn: Effect.Effect<void> = Effect.suspend(() =>
    this.warnings.length === 0
      ? Effect.void
      : Effect.forEach(this.warnings.splice(0), (warning) => Effect.logWarning(warning), { discard: true })
  )

  get hasWarnings(): boolean {
    return this.warnings.length > 0
  }

  private count(id: string, queue: string, { message: { headers, redelivered } }: Receipt): number {
    if (!this.counting.has(queue)) return 0
    const deliveries = deliveriesOf(headers)
    if (!redelivered || headers?.["x-delivery-count"] !== undefined) return deliveries
    if (!this.warned.count) {
      this.warned.count = true
      this.warnings.push(
        `source "${this.settings.id}": queue "${queue}" does not count deliveries, so they are counted in memory: ` +
          `a classic queue? Then give { name: "${queue}", type: "classic" }`
      )
    }
    return deliveries + this.returned.add(id)
  }

  private warnOfId(queue: string): void {
    if (this.warned.id) return
    this.warned.id = true
    this.warnings.push(
      `source "${this.settings.id}": messages of queue "${queue}" have no message_id: ` + (
        this.settings.missingId === "reject"
          ? "they are dead-lettered"
          : "their ids are digests of what is in them, so that two equal messages have one id"
      )
    )
  }
}

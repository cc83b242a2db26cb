/**
 * One hand-over of a claimed file: the receipt of its delivery.
 */
import { type Delivery, make } from "@ergon/core/Delivery"
import * as Transaction from "@ergon/core/Transaction"
import * as path from "node:path"
import type { Claim } from "./claim.ts"
import type { Place } from "./place.ts"
import type { Watch } from "./watch.ts"

export class Handover {
  state: "held" | "settled" | "lost" = "held"
  claim: Claim
  readonly delivery: Delivery
  private settling: Promise<void> | undefined

  constructor(claim: Claim, toDelivery: (self: Handover) => Delivery) {
    this.claim = claim
    this.delivery = toDelivery(this)
  }

  /** Settles once: whoever asks again waits for the first. One that failed can be tried again. */
  async settle(settle: () => Promise<void>): Promise<void> {
    if (this.state === "settled") return
    this.settling ??= settle()
    try {
      await this.settling
      this.state = "settled"
    } finally {
      this.settling = undefined
    }
  }

  /** Whether the lease could be extended. */
  async extend(watch: Watch, now: number): Promise<boolean> {
    if (this.state !== "held" || this.claim.until <= now) return false
    const extended = await watch.extend(this.claim, now)
    if (extended === undefined) this.state = "lost"
    else if (this.state === "held") this.claim = extended
    return extended !== undefined
  }
}

export const toDelivery = (place: Place, handover: Handover): Delivery => {
  const { deliveries, directory, modified, name, size } = handover.claim
  const payload = {
    name,
    path: path.join(directory, name),
    size,
    modifiedAt: new Date(modified).toISOString()
  }
  return make(Transaction.make(name, payload, { folder: place.path, file: name }), { deliveries, receipt: handover })
}

/**
 * A partitioned log in memory, and one group of consumers that reads it: the broker behind the scripted watermark
 * source.
 *
 * A partition is assigned to one consumer of the group or to none. The consumer reads from its position on; the group
 * has one committed position per partition. Each assignment has an epoch: whatever was handed over in an earlier epoch
 * is no longer held, and the next consumer begins at the committed position.
 *
 *     unassigned ──open, revoke, close──▶ assigned to a consumer (epoch + 1, position = committed)
 *     assigned ──revoke, its consumer closes──▶ assigned to another, or unassigned
 */
import type { Delivery } from "../../Delivery.ts"
import type { Settlement } from "../../Disposition.ts"
import type { Transaction } from "../../Transaction.ts"
import { insertSorted } from "./order.ts"
import type { Refusal } from "./store.ts"
import { Waiters } from "./waiting.ts"

/** A member of the group. */
export class Consumer {
  readonly partitions: Array<Partition> = []
  closed = false
}

/** The receipt of a delivery: its place in the log, in one epoch of its partition. */
export class Place {
  readonly partition: Partition
  readonly offset: number
  readonly epoch: number

  constructor(partition: Partition, offset: number, epoch: number) {
    this.partition = partition
    this.offset = offset
    this.epoch = epoch
  }

  get isHeld(): boolean {
    return this.epoch === this.partition.epoch
  }
}

class Partition {
  readonly name: string
  readonly transactions: Array<Transaction<unknown>> = []
  readonly held = new Map<number, Place>()
  /** Given back, greatest offset first. */
  returned: Array<number> = []
  consumer: Consumer | undefined = undefined
  epoch = 0
  committed = 0
  position = 0

  constructor(name: string) {
    this.name = name
  }

  /** The next one to hand over: what was given back first. */
  next(): Delivery | undefined {
    const offset = this.returned.pop() ?? (this.position < this.transactions.length ? this.position++ : undefined)
    const transaction = offset === undefined ? undefined : this.transactions[offset]
    if (offset === undefined || transaction === undefined) return undefined
    const receipt = new Place(this, offset, this.epoch)
    this.held.set(offset, receipt)
    return { transaction, deliveries: 0, receipt, key: this.name, partition: this.name, malformed: undefined }
  }

  assign(consumer: Consumer | undefined): void {
    if (this.consumer !== undefined) {
      this.consumer.partitions.splice(this.consumer.partitions.indexOf(this), 1)
    }
    this.consumer = consumer
    consumer?.partitions.push(this)
    this.epoch++
    this.position = this.committed
    this.returned = []
    this.held.clear()
  }

  /** Commits up to and with an offset; a commit never goes back. */
  commit(offset: number): void {
    if (offset < this.committed) return
    this.committed = offset + 1
    for (const held of this.held.keys()) if (held <= offset) this.held.delete(held)
    this.returned = this.returned.filter((returned) => returned > offset)
    this.position = Math.max(this.position, this.committed)
  }

  release(place: Place): void {
    if (!this.held.delete(place.offset)) return
    insertSorted(this.returned, place.offset, (offset) => offset)
  }
}

export class Log {
  readonly waiters = new Waiters()
  private readonly partitions: ReadonlyArray<Partition>
  private readonly consumers: Array<Consumer> = []

  constructor(partitions: number) {
    this.partitions = Array.from({ length: partitions }, (_, index) => new Partition(`partition-${index}`))
  }

  append(partition: number, transactions: ReadonlyArray<Transaction<unknown>>): void {
    this.partitions[partition % this.partitions.length]?.transactions.push(...transactions)
    this.waiters.wake()
  }

  open(): Consumer {
    const consumer = new Consumer()
    this.consumers.push(consumer)
    for (const partition of this.partitions) if (partition.consumer === undefined) partition.assign(consumer)
    for (;;) {
      const busiest = this.byLoad().at(-1)
      if (busiest === undefined || busiest.partitions.length <= consumer.partitions.length + 1) break
      busiest.partitions.at(-1)?.assign(consumer)
    }
    this.waiters.wake()
    return consumer
  }

  close(consumer: Consumer): void {
    consumer.closed = true
    this.consumers.splice(this.consumers.indexOf(consumer), 1)
    for (const partition of consumer.partitions.slice()) partition.assign(this.byLoad()[0])
    this.waiters.wake()
  }

  /** Takes a partition from its consumer and gives it to the next one of the group, the same one if it is alone. */
  revoke(partition: number): void {
    const revoked = this.partitions[partition % this.partitions.length]
    if (revoked === undefined) return
    const at = revoked.consumer === undefined ? -1 : this.consumers.indexOf(revoked.consumer)
    revoked.assign(this.consumers[(at + 1) % this.consumers.length])
    this.waiters.wake()
  }

  revokeAll(): void {
    this.partitions.forEach((_, index) => this.revoke(index))
  }

  /** At most `max`, one partition after the other in turn, each in its order; the next call begins with the next one. */
  take(consumer: Consumer, max: number): Array<Delivery> {
    const deliveries: Array<Delivery> = []
    const turns = [...consumer.partitions]
    while (deliveries.length < max) {
      const partition = turns.shift()
      if (partition === undefined) break
      const delivery = partition.next()
      if (delivery !== undefined) {
        deliveries.push(delivery)
        turns.push(partition)
      }
    }
    const served = consumer.partitions.shift()
    if (served !== undefined) consumer.partitions.push(served)
    return deliveries
  }

  settle(settlements: ReadonlyArray<Settlement>, refuse: (index: number, why: Refusal) => void): void {
    settlements.forEach(({ delivery: { receipt }, disposition }, index) => {
      if (!(receipt instanceof Place)) return refuse(index, "foreign")
      if (!receipt.isHeld) return refuse(index, "lost")
      switch (disposition._tag) {
        case "Ack":
          return receipt.partition.commit(receipt.offset)
        case "Release":
          return receipt.partition.release(receipt)
        case "Requeue":
        case "DeadLetter":
          return refuse(index, "unsupported")
      }
    })
    this.waiters.wake()
  }

  count(): { readonly ready: number; readonly inFlight: number; readonly delayed: number } {
    let ready = 0
    let inFlight = 0
    for (const partition of this.partitions) {
      ready += partition.transactions.length - partition.position + partition.returned.length
      inFlight += partition.held.size
    }
    return { ready, inFlight, delayed: 0 }
  }

  committed(): ReadonlyArray<number> {
    return this.partitions.map((partition) => partition.committed)
  }

  private byLoad(): Array<Consumer> {
    return this.consumers.toSorted((left, right) => left.partitions.length - right.partitions.length)
  }
}

/**
 * One partition for the time for which it is ours.
 *
 *     assigned -> begun (its committed position is known) -> lost
 *
 * Lost is for ever: a partition that comes back is another object, with another label, and begins at the committed
 * position. Nothing of the time before can commit to it or be mistaken for it.
 */
import type { Delivery } from "@ergon/core"
import { dueOf, type Message, type Position, type ReadOptions, toDelivery } from "../message/read.ts"
import { Offsets } from "./offsets.ts"

/** The receipt of a delivery: its partition, at that time, and its offset. */
export class Place {
  readonly partition: Partition
  readonly message: Message

  constructor(partition: Partition, message: Message) {
    this.partition = partition
    this.message = message
  }

  get offset(): number {
    return this.message.offset
  }
}

export class Partition {
  readonly topic: string
  readonly index: number
  /** Names it, and the time for which it is ours. */
  readonly label: string
  private readonly position: Position
  held = true
  /** `undefined` until it has begun. */
  offsets: Offsets | undefined
  /** Where the next fetch begins. */
  fetchFrom = 0
  private queue: Array<Message> = []
  private head = 0
  /** Given back, in the order of their offsets: handed over before what is in the queue. */
  private returned: Array<Message> = []

  constructor(topic: string, index: number, epoch: number) {
    this.topic = topic
    this.index = index
    this.position = { topic, partition: index }
    this.label = `${topic}/${index}#${epoch}`
  }

  get name(): string {
    return `${this.topic}/${this.index}`
  }

  /** How many messages were fetched and not handed over. */
  get buffered(): number {
    return this.queue.length - this.head + this.returned.length
  }

  begin(position: number): void {
    this.offsets = new Offsets(position)
    this.fetchFrom = position
  }

  /** What was fetched from it is dropped; nothing of it is settled any more. */
  lose(): void {
    this.held = false
    this.queue = []
    this.head = 0
    this.returned = []
  }

  /** Not done: it is handed over again, before what comes after it. */
  giveBack({ message }: Place): void {
    if (!this.held || this.offsets?.giveBack(message.offset) !== true) return
    let index = this.returned.length
    while (index > 0 && this.returned[index - 1]!.offset > message.offset) index--
    this.returned.splice(index, 0, message)
  }

  /** Takes a message in, unless it is from before the position that was asked for. */
  push(message: Message): boolean {
    if (!this.held || message.offset < this.fetchFrom) return false
    this.fetchFrom = message.offset + 1
    this.queue.push(message)
    return true
  }

  /** When the next message may be handed over: 0 for now, `Infinity` where there is none. */
  dueAt(): number {
    const message = this.returned[0] ?? this.queue[this.head]
    return message === undefined ? Infinity : dueOf(message)
  }

  /** How many wait for their time. */
  get delayed(): number {
    return this.dueAt() > Date.now() && this.buffered > 0 ? this.buffered : 0
  }

  /** Hands over at most `max` messages, up to one whose time has not come. */
  take(max: number, now: number, options: ReadOptions, into: Array<Delivery.Delivery>): void {
    const { offsets } = this
    if (offsets === undefined) return
    const { position } = this
    const hand = (message: Message): void => {
      if (offsets.take(message.offset)) {
        into.push(toDelivery(message, position, options, this.label, new Place(this, message)))
      }
    }
    const last = into.length + max
    while (into.length < last && this.returned.length > 0) hand(this.returned.shift()!)
    while (into.length < last && this.head < this.queue.length) {
      const message = this.queue[this.head]!
      if (dueOf(message) > now) break
      this.head++
      hand(message)
    }
    if (this.head === this.queue.length) {
      this.queue = []
      this.head = 0
    } else if (this.head > 1024 && this.head * 2 > this.queue.length) {
      this.queue = this.queue.slice(this.head)
      this.head = 0
    }
  }
}

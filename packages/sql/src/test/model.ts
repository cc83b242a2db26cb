/** What a queue should do, as simply as it can be said: a list of messages in the order of their arrival. */
import type { Delivery } from "@ergon/core"

export interface Message {
  readonly id: string
  readonly payload: unknown
  readonly key: string | undefined
  readonly priority: number
  state: "waiting" | "leased" | "done" | "dead"
  /** Waiting: not before. Leased: when the lease ends. Done: until when its id is known. */
  until: number
  /** The place in the order. */
  since: number
  deliveries: number
  /** Of its key, the one that goes first: it has been ahead of the others already. */
  ahead: boolean
}

export interface Held<By> {
  readonly message: Message
  readonly delivery: Delivery.Delivery
  readonly by: By
}

export class Model<By> {
  private messages: Array<Message> = []
  held: ReadonlyArray<Held<By>> = []
  private readonly options: {
    readonly lease: number
    readonly retention: number
    readonly keyOf: (id: string) => string | undefined
  }

  constructor(options: Model<By>["options"]) {
    this.options = options
  }

  enqueue(
    now: number,
    { delay, id, payload, priority }: { id: string; payload: unknown; priority: number; delay: number }
  ): void {
    this.expire(now)
    const known = this.messages.find((message) => message.id === id)
    if (known !== undefined && !(known.state === "done" && known.until <= now)) return
    this.messages = this.messages.filter((message) => message !== known)
    this.messages.push({
      id,
      payload,
      key: this.options.keyOf(id),
      priority,
      state: "waiting",
      until: now + delay,
      since: now + delay,
      deliveries: 0,
      ahead: false
    })
  }

  claim(now: number, max: number, by: By, deliveries: ReadonlyArray<Delivery.Delivery>): ReadonlyArray<Message> {
    this.expire(now)
    const order = this.messages
      .filter((message) => this.isFirst(message) && message.state === "waiting" && message.until <= now)
      .toSorted((a, b) => b.priority - a.priority || a.since - b.since)
    return order.slice(0, max).map((message, index) => this.lease(now, message, by, deliveries[index]))
  }

  claimId(now: number, id: string, by: By, delivery: Delivery.Delivery | undefined): Message | undefined {
    this.expire(now)
    const message = this.messages.find((message) => message.id === id && message.state === "waiting")
    if (message === undefined || this.lane(message).some(({ state }) => state === "leased")) return undefined
    return this.lease(now, message, by, delivery)
  }

  private lease(now: number, message: Message, by: By, delivery: Delivery.Delivery | undefined): Message {
    for (const other of this.lane(message)) other.ahead = other === message
    const handedOver = { ...message }
    message.state = "leased"
    message.until = now + this.options.lease
    if (delivery !== undefined) this.held = [...this.held, { message, delivery, by }]
    return handedOver
  }

  /** The places of those that were lost. */
  settle(
    now: number,
    chosen: ReadonlyArray<Held<By>>,
    as: "Ack" | "Requeue" | "Later" | "DeadLetter" | "Release",
    delay: number
  ): ReadonlyArray<number> {
    this.expire(now)
    const lost: Array<number> = []
    chosen.forEach((one, index) => {
      if (!this.held.includes(one)) return lost.push(index)
      this.held = this.held.filter((other) => other !== one)
      const { message } = one
      switch (as) {
        case "Ack":
          message.state = "done"
          return message.until = now + this.options.retention
        case "DeadLetter":
          message.state = "dead"
          return message.since = now
        case "Release":
          return this.back(message, now, message.since, 0)
        default:
          return this.back(message, now + delay, now + delay, 1)
      }
    })
    return lost
  }

  extend(now: number, one: Held<By>): boolean {
    this.expire(now)
    if (!this.held.includes(one)) return false
    one.message.until = now + this.options.lease
    return true
  }

  redrive(now: number, which: { readonly ids: ReadonlyArray<string> } | { readonly limit: number }): number {
    this.expire(now)
    const dead = this.messages.filter(({ state }) => state === "dead")
    const back = "ids" in which
      ? dead.filter(({ id }) => which.ids.includes(id))
      : dead.toSorted((a, b) => a.since - b.since).slice(0, which.limit)
    for (const message of back) {
      this.back(message, now, now, -message.deliveries)
      // What came first goes first again, unless another one of its key is at work.
      for (const other of this.lane(message)) other.ahead &&= other.state === "leased"
    }
    return back.length
  }

  close(now: number, by: By): void {
    this.expire(now)
    for (const { message } of this.held.filter((one) => one.by === by)) this.back(message, now, message.since, 1)
    this.held = this.held.filter((one) => one.by !== by)
  }

  count(now: number): { ready: number; inFlight: number; delayed: number } {
    this.expire(now)
    const count = { ready: 0, inFlight: 0, delayed: 0 }
    for (const message of this.messages) {
      if (message.state === "leased") count.inFlight++
      // Who waits for another one of its key is not said to be delayed.
      else if (message.state === "waiting") count[this.isFirst(message) && message.until > now ? "delayed" : "ready"]++
    }
    return count
  }

  private expire(now: number): void {
    for (const { message } of this.held) {
      if (message.until <= now) this.back(message, now, message.since, 1)
    }
    this.held = this.held.filter(({ message }) => message.state === "leased")
  }

  private back(message: Message, until: number, since: number, deliveries: number): void {
    message.state = "waiting"
    message.until = until
    message.since = since
    message.deliveries += deliveries
  }

  private lane(message: Message): ReadonlyArray<Message> {
    if (message.key === undefined) return [message]
    return this.messages.filter(({ key, state }) => key === message.key && (state === "waiting" || state === "leased"))
  }

  private isFirst(message: Message): boolean {
    const lane = this.lane(message)
    return message === (lane.find(({ ahead }) => ahead) ?? lane[0])
  }
}

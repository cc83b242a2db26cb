/**
 * Bugs to be planted in the engine, each a replacement of a text that stands once in its file. A simulator that does not
 * find them within a thousand seeds sees too little.
 */

export interface Bug {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

const engine = (file: string): string => `internal/engine/${file}.ts`

export const bugs: ReadonlyArray<Bug> = [
  {
    name: "acknowledge when the first of two sinks has confirmed",
    file: engine("dispatch"),
    from: "if (--outstanding > 0) return",
    to: "if (--outstanding !== parcels.length - 1) return"
  },
  {
    name: "acknowledge before the dispatch",
    file: engine("process"),
    from: "    slot.item!.result = exit.value\n    return dispatch(engine, slot)",
    to:
      "    slot.item!.result = exit.value\n    if (slot.attempt > 1) return engine.finish(slot, \"succeeded\", Disposition.ack)\n    return dispatch(engine, slot)"
  },
  {
    name: "forget what is held for later when the run drains",
    file: engine("loop"),
    from: "[this.intake.stop(), this.lanes.drain(), this.requeues.drain()]",
    to: "[this.intake.stop(), this.lanes.drain(), this.requeues.drain().slice(1)]"
  },
  {
    name: "forget the next of a lane when the run drains",
    file: engine("fetch"),
    from: "const left = this.front.concat(this.buffer.slice(this.head))",
    to: "const left = this.buffer.slice(this.head)"
  },
  {
    name: "settle again what a partly failed settlement had settled",
    file: engine("settle"),
    from: "          confirmed.push(item)\n          continue",
    to: "          if (batch.length > 2) again.push(item)\n          else confirmed.push(item)\n          continue"
  },
  {
    name: "limit: off by one after a surplus",
    file: engine("fetch"),
    from: "const left = Math.max(0, plan.limit - tally.fetched)",
    to: "const left = Math.max(0, plan.limit - tally.fetched + (tally.fetched > 0 ? 1 : 0))"
  },
  {
    name: "commit past what was given back",
    file: engine("settle"),
    from: "          this.watermarks.forget(item)\n",
    to: "          this.watermarks.drop(item)\n"
  },
  {
    name: "commit what was released",
    file: engine("settle"),
    from: "disposition._tag !== \"Release\" && disposition._tag !== \"Requeue\" && kind !== \"redelivered\"",
    to: "disposition._tag !== \"Requeue\" && kind !== \"redelivered\""
  },
  {
    name: "commit what was lost while it was processed",
    file: engine("settle"),
    from: "disposition._tag !== \"Release\" && disposition._tag !== \"Requeue\" && kind !== \"redelivered\"",
    to: "(disposition._tag !== \"Release\" || kind === \"redelivered\") && disposition._tag !== \"Requeue\""
  },
  {
    name: "commit a requeue that a drain has cut short",
    file: engine("settle"),
    from: "disposition._tag !== \"Release\" && disposition._tag !== \"Requeue\" && kind !== \"redelivered\"",
    to: "disposition._tag !== \"Release\" && kind !== \"redelivered\""
  },
  {
    name: "a failed commit fails its last delivery alone",
    file: engine("settle"),
    from: "for (const item of sent[index]?.items ?? []) refused.set(item, reason)",
    to: "for (const item of (sent[index]?.items ?? []).slice(-1)) refused.set(item, reason)"
  },
  {
    name: "a drain ends the run before everything is given back",
    file: engine("loop"),
    from: "    this.pumping = true\n    for (const item of [",
    to: "    for (const item of ["
  },
  {
    name: "a failed commit goes behind the later ones",
    file: engine("settle"),
    from: "this.pending = again.concat(this.pending)",
    to: "this.pending = this.pending.concat(again)"
  },
  {
    name: "a deadline leaves the work running",
    file: engine("attempt"),
    from: "  if (slot.fiber !== undefined) {\n    slot.fiber.interruptUnsafe()\n  } else",
    to:
      "  if (slot.fiber !== undefined && reason === \"deadline\" && slot.step !== \"decode\") {\n    slot.fiber = undefined\n    engine.cutOff(slot)\n  } else if (slot.fiber !== undefined) {\n    slot.fiber.interruptUnsafe()\n  } else"
  },
  {
    name: "the deadline cuts the exception step, which runs twice",
    file: engine("exception"),
    from: "  slot.deadline = Infinity\n  slot.attemptDueAt = Infinity\n  slot.schedule()\n  slot.step = \"exception\"",
    to: "  slot.attemptDueAt = Infinity\n  slot.schedule()\n  slot.step = \"exception\""
  },
  {
    name: "drop what was fetched beside a surplus that is given back at once",
    file: engine("fetch"),
    from: "    const kept = this.stopped ? 0 : Math.min(left, items.length)\n",
    to:
      "    const kept = this.stopped ? 0 : Math.min(left, items.length)\n    for (let i = kept; i < items.length; i++) this.options.release(items[i]!)\n    if (this.options.plan.limit !== Infinity) items = items.slice(0, kept)\n"
  },
  {
    name: "retry a defect",
    file: engine("process"),
    from: "if (Result.isFailure(found)) return giveUp(engine, slot, cause, \"system\")",
    to: "if (Result.isFailure(found)) return undecided(engine, slot, cause, \"business\")"
  },
  {
    name: "release without telling the source",
    file: engine("settle"),
    from: "    if (item.kind === \"redelivered\") return this.options.confirmed([item])\n",
    to:
      "    if (item.kind === \"redelivered\" || (item.kind === \"released\" && item.attempts > 0)) {\n      return this.options.confirmed([item])\n    }\n"
  },
  {
    name: "a dispatch that was given up leaves the run without an end",
    file: engine("gather"),
    from: "if (batch.every((parcel) => parcel.abandoned)) this.givenUp?.()",
    to: ""
  },
  {
    name: "an extension without an answer outlives the run",
    file: engine("loop"),
    from: "    this.leases.close()\n",
    to: ""
  },
  {
    name: "what was given up is sent all the same",
    file: engine("gather"),
    from: "    if (index >= 0) this.pending.splice(index, 1)\n",
    to: ""
  },
  {
    name: "a sink that has confirmed is told as given up",
    file: engine("gather"),
    from: "    if (index < 0 && !inFlight) return true\n",
    to: ""
  },
  {
    name: "a requeued head lets go of its lane",
    file: engine("requeue"),
    from: "this.local = lanes || capabilities",
    to: "this.local = capabilities"
  },
  {
    name: "the second delivery from memory is not counted",
    file: engine("loop"),
    from: "item.deliveries + 1, item.key",
    to: "item.deliveries, item.key"
  },
  {
    name: "what is held for later loses its lease",
    file: engine("loop"),
    from: "    this.leases.replace(item, again)\n",
    to: "    this.leases.release(item)\n"
  },
  {
    name: "the last lease is not extended again",
    file: engine("lease"),
    from: "if (this.held.size > 0) this.rest",
    to: "if (this.held.size > 1) this.rest"
  },
  {
    name: "a lease that could not be extended is not tried again",
    file: engine("lease"),
    from: "this.rest(Exit.isSuccess(exit) ? 3 : 6)",
    to: "this.rest(Exit.isSuccess(exit) ? 3 : 1)"
  },
  {
    name: "leases are extended late",
    file: engine("lease"),
    from: "this.rest(3)",
    to: "this.rest(0.9)"
  },
  {
    name: "dispatch for a lease that is known to be lost",
    file: engine("dispatch"),
    from: "  if (item.lost) return engine.redeliver(slot, \"its lease was lost while it was processed\")\n",
    to: ""
  },
  {
    name: "give up what is known to be lost",
    file: engine("exception"),
    from: "  if (item.lost) return engine.redeliver(slot, \"its lease was lost while it was processed\")\n",
    to: ""
  },
  {
    name: "start what the source has taken back",
    file: engine("loop"),
    from: "item.lost || this.plan.source.isHeld?.(item.delivery) === false ||",
    to: "item.lost ||"
  },
  {
    name: "end a run without asking once more",
    file: engine("fetch"),
    from: "if (!plan.streaming && this.startedQuiet && this.options.quiet()) {",
    to: "if (!plan.streaming && this.options.quiet()) {"
  },
  {
    name: "what was left behind is settled again",
    file: engine("slots"),
    from: "    slot.item = undefined\n    this.active--\n    return item",
    to: "    this.active--\n    return item"
  },
  {
    name: "a dead letter that was refused is acknowledged",
    file: engine("deadLetter"),
    from: "engine.finish(slot, \"requeued\", Disposition.requeue())",
    to: "engine.finish(slot, \"requeued\", slot.attempt > 1 ? Disposition.ack : Disposition.requeue())"
  },
  {
    name: "the rate forgets the oldest start",
    file: engine("rate"),
    from: "while (this.starts[this.oldest]! + this.interval <= now) this.oldest++",
    to: "while (this.starts[this.oldest]! + this.interval * 0.75 <= now) this.oldest++"
  },
  {
    name: "one slot more while a program resists its interruption",
    file: engine("loop"),
    from: "while (this.slots.active < this.concurrency && this.phase === \"running\") {",
    to: "while (this.slots.active - this.slots.resisting < this.concurrency && this.phase === \"running\") {"
  },
  {
    name: "a part of a failed batch counts as confirmed",
    file: engine("gather"),
    from: "      const reason = reasons.get(index++)\n",
    to: "      const reason = reasons.get(index)\n      if (parcel === batch[0]) index++\n"
  },
  {
    name: "a settlement without an answer counts as confirmed",
    file: engine("settle"),
    from: "return batch.map(() => reason)\n    }\n    const",
    to: "return batch.map((_, index) => index === 0 ? reason : undefined)\n    }\n    const"
  },
  {
    name: "batch mode does not wait for settlements",
    file: engine("settle"),
    from: "return this.batch.length === 0 && this.pending.length === 0",
    to: "return this.batch.length === 0 || this.waiting"
  },
  {
    name: "an id counts as requeued once",
    file: engine("fetch"),
    from: "const count = (counts.get(id) ?? 0) + 1",
    to: "const count = item.deliveries + 1"
  },
  {
    name: "the scope of an attempt closes after its settlement",
    file: engine("attempt"),
    from: "    if (slot.scope.state._tag !== \"Empty\") return closeScope(slot, exit, ended)\n",
    to: "    if (slot.scope.state._tag !== \"Empty\") closeScope(slot, exit, () => {})\n"
  },
  {
    name: "the work that a stop cuts is told as done",
    file: engine("success"),
    from: "if (slot.cut === \"deadline\" || slot.cut === \"stop\") return engine.cutOff(slot)",
    to:
      "if (slot.cut === \"deadline\") return engine.cutOff(slot)\n  if (slot.cut === \"stop\") return engine.finish(slot, \"succeeded\", Disposition.ack)"
  },
  {
    name: "what is lost before it starts keeps its lane",
    file: engine("loop"),
    from: "    this.leases.release(item)\n    this.leaveLane(item)\n",
    to: "    this.leases.release(item)\n"
  },
  {
    name: "an answer reaches what was given up",
    file: engine("gather"),
    from: "        if (parcel.abandoned) continue\n        this.answered(parcel, parcel.reason, batch.length)",
    to: "        this.answered(parcel, parcel.reason, batch.length)"
  },
  {
    name: "a settlement that is given up leaves its span open",
    file: engine("settle"),
    from: "    this.told(this.spans.map(() => unanswered))\n",
    to: ""
  },
  {
    name: "a delivery that begins anew leaves its span open",
    file: engine("loop"),
    from: "    this.signals.ended(item)\n    this.leases.replace",
    to: "    this.leases.replace"
  }
]

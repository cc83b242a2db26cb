/**
 * What is known of a folder between looks: the files and claims that wait to be handed out, and what was seen to grow.
 */
import type { Count } from "@ergon/core/Connector"
import type { DeadLetter } from "@ergon/core/DeadLetter"
import type { Disposition } from "@ergon/core/Disposition"
import * as path from "node:path"
import { codeOf } from "../ioReason.ts"
import type { Claim, Open } from "./claim.ts"
import { bury, claimWaiting, extend, finish, giveBack, takeOpen } from "./folder.ts"
import type { Place } from "./place.ts"
import { type Memory, scanClaimed, scanFolder } from "./scan.ts"

const claimedTogether = 16

export class Watch {
  readonly warnings: Array<string> = []
  private readonly place: Place
  private readonly poll: number
  private readonly now: () => number
  private readonly memory: Memory = { growing: new Map(), refused: new Set() }
  private files: ReadonlyArray<string> = []
  /** Which of the files is next. */
  private next = 0
  private open: Array<Open> = []
  private lookedAtClaims = -Infinity

  constructor(place: Place, poll: number, now: () => number) {
    this.place = place
    this.poll = poll
    this.now = now
  }

  /** Claims at most `max`: what was given back first. */
  async take(max: number): Promise<ReadonlyArray<Claim>> {
    if (this.now() - this.lookedAtClaims >= this.poll) await this.lookAtClaims()
    const claims: Array<Claim> = []
    for (let looked = false; claims.length < max;) {
      if (this.open.length === 0 && this.next >= this.files.length) {
        if (looked || claims.length > 0) break
        looked = true
        await this.look()
        continue
      }
      claims.push(...await this.claimNext(Math.min(claimedTogether, max - claims.length), claims.length === 0))
    }
    return claims
  }

  /** Claims the file of this name, wherever it waits. */
  async find(name: string): Promise<Claim | undefined> {
    await this.look()
    const open = this.open.find((one) => one.name === name)
    if (open !== undefined) return takeOpen(this.place, open, this.now())
    return this.files.includes(name) ? claimWaiting(this.place, name, this.now()) : undefined
  }

  async count(): Promise<Count> {
    const now = this.now()
    const claimed = await scanClaimed(this.place, now)
    const { delayed, ready } = await scanFolder(this.place, claimed.names, { ...this.memory }, now)
    return { ready: ready.length + claimed.open.length, inFlight: claimed.held, delayed }
  }

  async settle(claim: Claim, disposition: Disposition, letter: DeadLetter | undefined): Promise<void> {
    switch (disposition._tag) {
      case "Ack":
        return finish(this.place, claim)
      case "DeadLetter":
        return bury(this.place, claim, letterText(claim, disposition.reason, letter))
      case "Requeue":
        this.open.push(await giveBack(this.place, claim, claim.deliveries + 1))
        return
      case "Release":
        this.open.push(await giveBack(this.place, claim, claim.deliveries))
        return
    }
  }

  /** Hands out what was put back at the next fetch. */
  giveBack(open: Open): void {
    this.open.push(open)
  }

  extend(claim: Claim, now: number): Promise<Claim | undefined> {
    return extend(this.place, claim, now)
  }

  private async look(): Promise<void> {
    const claimed = await this.lookAtClaims()
    const { ready, refused } = await scanFolder(this.place, claimed, this.memory, this.now())
    this.files = ready
    this.next = 0
    for (const { name, why } of refused) {
      this.warnings.push(`"${path.join(this.place.path, name)}" is not processed: ${why}`)
    }
  }

  private async lookAtClaims(): Promise<ReadonlySet<string>> {
    const now = this.now()
    const { names, open } = await scanClaimed(this.place, now)
    this.open = [...open]
    this.lookedAtClaims = now
    return names
  }

  /**
   * Claims the next few. A file that cannot be claimed is left where it is with a warning, unless it is the only one: an
   * error that concerns them all must not look like an empty folder.
   */
  private async claimNext(count: number, alone: boolean): Promise<ReadonlyArray<Claim>> {
    const now = this.now()
    const open = this.open.splice(0, count)
    const files = this.files.slice(this.next, this.next + count - open.length)
    this.next += files.length
    const results = await Promise.allSettled([
      ...open.map((one) => takeOpen(this.place, one, now)),
      ...files.map((name) => claimWaiting(this.place, name, now))
    ])
    const claims = results.flatMap((result) =>
      result.status === "fulfilled" && result.value !== undefined ? [result.value] : []
    )
    const errors: ReadonlyArray<unknown> = results.flatMap((result) =>
      result.status === "rejected" ? [result.reason] : []
    )
    if (alone && claims.length === 0 && errors.length > 0) throw errors[0]
    for (const error of errors) this.warnings.push(`a file in "${this.place.path}" cannot be claimed: ${textOf(error)}`)
    return claims
  }
}

const textOf = (error: unknown): string => error instanceof Error ? error.message : codeOf(error) ?? String(error)

const letterText = (claim: Claim, reason: string, letter: DeadLetter | undefined): string =>
  `${JSON.stringify(letter ?? { id: claim.name, reason }, undefined, 2)}\n`

/** One system, and who races on it. */
import type { Contender } from "./contender.ts"

/**
 * - `contenders`: made anew, with what they publish to; the first is the bare loop.
 * - `ours`: Ergon on a queue of this name; nothing is there yet, or what another process has put there.
 * - `asked`: how many statements, commands or requests the server has been asked in all, where it counts them.
 * - `goals`: what Ergon's rate must be at least, in times of the contender of this name.
 */
export interface System {
  readonly name: string
  readonly contenders: () => Promise<ReadonlyArray<Contender>>
  readonly ours: (name: string) => Contender
  readonly asked: (() => Promise<number>) | undefined
  readonly goals: Readonly<Record<string, number>>
}

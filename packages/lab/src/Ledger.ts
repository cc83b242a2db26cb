/**
 * What went in and what came out: the books of a fault test.
 *
 * @since 0.1.0
 */

/**
 * The balance of a ledger.
 *
 * @category models
 * @since 0.1.0
 */
export interface Balance {
  /** Distinct ids that went in, as the target confirmed them. */
  readonly in: number
  /** Distinct ids that came out. */
  readonly out: number
  /** Ids that went in and never came out. */
  readonly lost: ReadonlyArray<string>
  /** Ids that came out and never went in. */
  readonly strange: ReadonlyArray<string>
  /** How many came out beyond the first time. */
  readonly duplicates: number
  /** The same in a line. */
  readonly text: string
}

/**
 * A ledger.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ledger {
  readonly in: (id: string) => void
  readonly out: (id: string) => void
  readonly balance: () => Balance
}

/**
 * An empty ledger.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Ledger => {
  const went = new Set<string>()
  const came = new Map<string, number>()
  return {
    in: (id) => void went.add(id),
    out: (id) => void came.set(id, (came.get(id) ?? 0) + 1),
    balance: () => {
      const lost = [...went].filter((id) => !came.has(id))
      const strange = [...came.keys()].filter((id) => !went.has(id))
      let duplicates = 0
      for (const times of came.values()) duplicates += times - 1
      return {
        in: went.size,
        out: came.size,
        lost,
        strange,
        duplicates,
        text: `${went.size} in, ${came.size} out, ${lost.length} lost, ${duplicates} duplicated`
      }
    }
  }
}

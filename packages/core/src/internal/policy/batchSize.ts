import type { Policy } from "../../Policy.ts"

/**
 * The most that one fetch asks for, where the policy does not say. A continuous loop asks for more than its free slots only
 * as far as it fetches ahead; of a large batch each transaction has a small part of the round trip.
 */
export const defaultBatchSize = (mode: Policy["loop"]["mode"], concurrency: number): number =>
  mode === "batch" ? concurrency : 4 * concurrency

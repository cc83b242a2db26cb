/** The same amount of computing, however long it takes: about 20 ms. */
export const work = (): number => {
  let state = 1
  for (let n = 0; n < 12_000_000; n++) state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
  return state
}

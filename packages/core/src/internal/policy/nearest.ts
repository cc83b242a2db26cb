/**
 * The nearest of some names to one that is not among them.
 */

/** Damerau-Levenshtein: letters added, dropped, replaced, or swapped with their neighbour. */
const distance = (from: string, to: string): number => {
  let before: Array<number> = []
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let best = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + (same ? 0 : 1))
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        best = Math.min(best, before[column - 2]! + 1)
      }
      current.push(best)
    }
    before = previous
    previous = current
  }
  return previous[to.length]!
}

// A third of the letters may differ, and always one.
const isNear = (letters: number, name: string): boolean => letters <= Math.max(1, Math.floor(name.length / 3))

/** The nearest name, the first of several; none when all of them are far. Upper and lower case are the same. */
export const nearest = (name: string, names: ReadonlyArray<string>): string | undefined => {
  let found: string | undefined
  let least = Infinity
  for (const candidate of names) {
    const letters = distance(name.toLowerCase(), candidate.toLowerCase())
    if (letters < least && isNear(letters, candidate)) {
      least = letters
      found = candidate
    }
  }
  return found
}

/**
 * The name that was probably meant.
 */
const distance = (left: string, right: string): number => {
  let above = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const replaced = above[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, above[column]! + 1, current[column - 1]! + 1))
    }
    above = current
  }
  return above[right.length]!
}

/** The valid name nearest to `given`; none when nothing is near: then a third of it or more would have to change. */
export const nearest = (given: string, valid: ReadonlyArray<string>): string | undefined => {
  const word = given.toLowerCase()
  const near = valid
    .map((name) => ({ name, far: distance(word, name.toLowerCase()) }))
    .filter(({ far, name }) => far <= Math.max(2, Math.floor(Math.max(word.length, name.length) / 3)))
    .sort((left, right) => left.far - right.far)[0]
  return near?.name
}

/** ` Did you mean "orders"?`, or nothing. */
export const didYouMean = (given: string, valid: ReadonlyArray<string>): string => {
  const name = nearest(given, valid)
  return name === undefined ? "" : ` Did you mean "${name}"?`
}

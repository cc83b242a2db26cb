/**
 * The keys of a stream and of one group at it. All of them are in the slot of the stream, so that a script may touch
 * them together in a cluster.
 */
export interface Keys {
  readonly stream: string
  /** What the group delivers again: requeued, released, put back. A stream that only this group reads. */
  readonly again: string
  /** What is to be delivered later: a sorted set by the time it is due. */
  readonly delayed: string
  /** The group's dead letters: a stream. */
  readonly dead: string
  /** The ids that are not taken a second time: a sorted set by the time they are forgotten. */
  readonly ids: string
}

/** What Redis hashes of a key, when it is not the whole key. */
const tagOf = (key: string): string | undefined => {
  const from = key.indexOf("{")
  const to = from < 0 ? -1 : key.indexOf("}", from + 1)
  return to > from + 1 ? key.slice(from + 1, to) : undefined
}

/** Whether keys beside it can be made: a name with braces has to have a hash tag. */
export const isStreamName = (name: string): boolean =>
  name !== "" && name.isWellFormed() && (tagOf(name) !== undefined || !/[{}]/.test(name))

export const keysOf = (stream: string, group: string): Keys => {
  const base = tagOf(stream) === undefined ? `{${stream}}` : stream
  const own = `${base}:${group}`
  return {
    stream,
    again: `${own}:again`,
    delayed: `${own}:delayed`,
    dead: `${own}:dead`,
    ids: `${base}:ids`
  }
}

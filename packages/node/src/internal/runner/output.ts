/**
 * The end of the process, without cutting off what was written. A pipe takes 64 KiB at a time and `process.exit` throws
 * away what is still waiting.
 */

const unwritten = (stream: NodeJS.WriteStream): boolean =>
  !stream.destroyed && stream.errored === null && stream.writableLength > 0

const flushed = (stream: NodeJS.WriteStream, done: () => void): void => {
  if (!unwritten(stream)) return done()
  let pending = true
  const once = (): void => {
    if (pending) done()
    pending = false
  }
  // Whoever read it may have gone: then nothing is left to wait for.
  stream.once("error", once).once("close", once)
  stream.write("", once)
}

/** Exits once both streams are written, or after `atMost` milliseconds. Without end, it waits for whoever reads. */
export const exit = (code: number, atMost: number | undefined): void => {
  const end = (): never => process.exit(code)
  if (atMost !== undefined) setTimeout(end, atMost)
  flushed(process.stdout, () => flushed(process.stderr, end))
}

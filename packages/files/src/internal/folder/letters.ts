/**
 * The dead letters of a watched folder: the files in `failed/` that have a reason beside them.
 *
 *     failed/name + name.reason.json ──putBack──▶ 0.held.T/name ──▶ 0.free.T'/name     (the reason is removed last)
 *
 * A letter's key is the name in `failed/` and the time of its reason: a file that is given up again has a later one.
 * Pages come out of the last look, which is repeated when it is used up: reading names and times costs as much as there
 * are files, reading the letters as much as is asked for. `node:fs` stands here in place of effect's FileSystem because
 * the codes of its errors decide.
 */
import type { Letters, StoredLetter } from "@ergon/core/Connector"
import { type Failed, LettersError } from "@ergon/core/ConnectorError"
import { DeadLetter } from "@ergon/core/DeadLetter"
import { InvalidRequest } from "@ergon/core/Reason"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { codeOf, ioReason } from "../ioReason.ts"
import { takeOut } from "./folder.ts"
import { reasonName, stemOf } from "./move.ts"
import type { Place } from "./place.ts"
import { lstat } from "./scan.ts"
import type { Watch } from "./watch.ts"

/** A file in `failed/`, and when its reason was written, in milliseconds since 1970. */
interface Given {
  readonly name: string
  readonly at: number
}

const together = 32

const mapSome = async <A, B>(all: ReadonlyArray<A>, f: (a: A) => Promise<B | undefined>): Promise<ReadonlyArray<B>> => {
  const found: Array<B> = []
  for (let at = 0; at < all.length; at += together) {
    for (const one of await Promise.all(all.slice(at, at + together).map(f))) if (one !== undefined) found.push(one)
  }
  return found
}

const inOrder = (left: Given, right: Given): number =>
  left.at - right.at || (left.name < right.name ? -1 : left.name > right.name ? 1 : 0)

const textOf = ({ at, name }: Given): string => `${at}/${name}`

const givenOf = (text: string): Given => {
  const slash = text.indexOf("/")
  return { at: Number(text.slice(0, slash)), name: text.slice(slash + 1) }
}

/** The names in `failed/` that have a reason; none when somebody removed the folder. */
const namesIn = async (place: Place): Promise<ReadonlyArray<string>> => {
  const ending = reasonName("")
  try {
    const names = await fs.readdir(place.failed)
    return names.flatMap((name) => name.endsWith(ending) ? [name.slice(0, -ending.length)] : [])
  } catch (error) {
    if (codeOf(error) === "ENOENT") return []
    throw error
  }
}

/** `undefined` where the file or its reason is not there: it was put back, or its move has not come to its end. */
const look = async (place: Place, name: string): Promise<Given | undefined> => {
  const [file, reason] = await Promise.all([
    lstat(path.join(place.failed, name)),
    lstat(path.join(place.failed, reasonName(name)))
  ])
  return file?.isFile() === true && reason?.isFile() === true ? { name, at: reason.mtimeMs } : undefined
}

const decodeLetter = Schema.decodeUnknownOption(Schema.fromJsonString(DeadLetter))
const decodeSome = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ id: Schema.NonEmptyString, reason: Schema.String }))
)

/** A reason that is no envelope: then what is known of the file. */
const letterOf = async (place: Place, { at, name }: Given): Promise<DeadLetter | undefined> => {
  const file = path.join(place.failed, name)
  const text = await fs.readFile(path.join(place.failed, reasonName(name)), "utf8").catch(() => undefined)
  const stat = await lstat(file)
  if (text === undefined || stat === undefined) return undefined
  return Option.getOrElse(decodeLetter(text), () => {
    const { id, reason } = Option.getOrElse(decodeSome(text), () => ({ id: name, reason: "given up by hand" }))
    return new DeadLetter({
      id,
      payload: { name: id, path: file, size: stat.size, modifiedAt: stat.mtime.toISOString() },
      metadata: { folder: place.path, file: id },
      reason,
      step: "settle",
      category: "system",
      error: { tag: "DeadLetter", message: reason },
      attempts: 0,
      deliveries: 0,
      task: "",
      source: "",
      failedAt: new Date(at).toISOString()
    })
  })
}

const stored = async (place: Place, given: Given): Promise<StoredLetter | undefined> => {
  const letter = await letterOf(place, given)
  return letter === undefined ? undefined : { key: textOf(given), letter }
}

const isName = (id: string): boolean => id !== "." && id !== ".." && path.basename(id) === id && !id.includes("\0")

/** The letters of a folder, for as long as it is open. */
export const folderLetters = (place: Place, watch: Watch, isOpen: () => boolean): Letters => {
  let seen: ReadonlyArray<Given> = []

  const lookAgain = async (): Promise<void> => {
    seen = (await mapSome(await namesIn(place), (name) => look(place, name))).toSorted(inOrder)
  }
  const behind = (after: Given | undefined, max: number): ReadonlyArray<Given> =>
    (after === undefined ? seen : seen.filter((given) => inOrder(given, after) > 0)).slice(0, max)
  const isThere = async (given: Given): Promise<boolean> => (await look(place, given.name))?.at === given.at

  const attempt = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, LettersError> =>
    Effect.suspend(() =>
      isOpen()
        ? Effect.tryPromise({
          try: run,
          catch: (error) => new LettersError({ reason: ioReason(`${what} "${place.failed}"`, error) })
        })
        : Effect.fail(new LettersError({ reason: new InvalidRequest({ message: "the connector is closed" }) }))
    )

  /** One after the other; the error names those that failed. */
  const each = (
    what: string,
    keys: ReadonlyArray<string>,
    act: (given: Given) => Promise<boolean>
  ): Effect.Effect<ReadonlyArray<string>, LettersError> =>
    Effect.flatMap(
      Effect.uninterruptible(attempt(what, async () => {
        const done: Array<string> = []
        const failed: Array<Failed> = []
        for (const [index, key] of keys.entries()) {
          const given = givenOf(key)
          try {
            if (await isThere(given) && await act(given)) done.push(key)
          } catch (error) {
            failed.push({ index, reason: ioReason(`${what} "${path.join(place.failed, given.name)}"`, error) })
          }
        }
        return { done, failed }
      })),
      ({ done, failed }) =>
        failed[0] === undefined
          ? Effect.succeed(done)
          : Effect.fail(new LettersError({ reason: failed[0].reason, failed }))
    )

  const removeReason = (name: string): Promise<void> =>
    fs.rm(path.join(place.failed, reasonName(name)), { force: true })

  return {
    list: ({ after, max }) =>
      attempt("cannot read", async () => {
        const from = after === undefined ? undefined : givenOf(after)
        if (from === undefined) await lookAgain()
        let page = behind(from, max)
        if (page.length < max && from !== undefined) {
          await lookAgain()
          page = behind(from, max)
        }
        return {
          letters: await mapSome(page, (given) => stored(place, given)),
          next: page.length < max ? undefined : textOf(page[page.length - 1]!)
        }
      }),
    find: (id) =>
      attempt("cannot read", async () => {
        const beginning = stemOf(id)
        const names = (await namesIn(place)).filter((name) => name.startsWith(beginning))
        const given = (await mapSome(names, (name) => look(place, name))).toSorted(inOrder)
        return (await mapSome(given, (one) => stored(place, one))).filter(({ letter }) => letter.id === id)
      }),
    remove: (keys) =>
      Effect.asVoid(each("cannot remove the reason of", keys, async ({ name }) => {
        await removeReason(name)
        return true
      })),
    putBack: (keys) =>
      each("cannot put back", keys, async (given) => {
        const letter = await letterOf(place, given)
        // A reason can be written by hand: its id must not lead anywhere else.
        const name = letter !== undefined && isName(letter.id) ? letter.id : given.name
        const open = await takeOut(place, given.name, name)
        if (open === undefined) return false
        watch.giveBack(open)
        await removeReason(given.name)
        return true
      })
  }
}

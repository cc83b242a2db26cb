/**
 * Dead letters in a stream: a group's own, whose entries are what was given up, and those of a sink, whose entries hold
 * an envelope. A letter's key is the id of its entry: the letter of a later failure has another one.
 */
import { type Connector, ConnectorError, DeadLetter } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { RedisError } from "../../RedisError.ts"
import type { Connection } from "../client/connection.ts"
import { field, read } from "./entry.ts"

const decodeText = Schema.decodeUnknownOption(Schema.fromJsonString(DeadLetter.DeadLetter))
const decode = Schema.decodeUnknownOption(Schema.toCodecJson(DeadLetter.DeadLetter))

type LetterOf = (id: string, fields: ReadonlyArray<unknown>) => DeadLetter.DeadLetter

const get = (fields: ReadonlyArray<unknown>, name: string): string | undefined => {
  for (let place = 0; place + 1 < fields.length; place += 2) {
    if (fields[place] === name) return String(fields[place + 1])
  }
  return undefined
}

const at = (id: string): string => new Date(Number(id.split("-")[0]) || 0).toISOString()

/** Without an envelope: what the entry says. */
const bare = (source: string, id: string, fields: ReadonlyArray<unknown>, reason: string): DeadLetter.DeadLetter => {
  const { deliveries, transaction } = read(id, fields)
  return new DeadLetter.DeadLetter({
    id: transaction.id,
    payload: transaction.payload,
    metadata: transaction.metadata,
    reason,
    step: "settle",
    category: "system",
    error: { tag: "DeadLetter", message: reason },
    attempts: 0,
    deliveries,
    task: "",
    source,
    failedAt: at(id)
  })
}

/** The letters of a source; `source` is the id of its key. */
export const ownLetter = (source: string): LetterOf => (id, fields) =>
  Option.getOrElse(
    decodeText(get(fields, field.letter)),
    () => bare(source, id, fields, get(fields, field.reason) ?? "given up by hand")
  )

/** The letters of a sink: the payload of an entry is the envelope. */
export const envelope: LetterOf = (id, fields) =>
  Option.getOrElse(decode(read(id, fields).transaction.payload), () => bare("", id, fields, "not an envelope"))

export interface LettersOptions {
  readonly stream: string
  readonly letterOf: LetterOf
  readonly putBack: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, RedisError>
}

const page = 200
const entryId = /^[0-9]+-[0-9]+$/

const entriesOf = (reply: unknown): ReadonlyArray<readonly [id: string, fields: ReadonlyArray<unknown>]> =>
  Array.isArray(reply) ? reply.map(([id, fields]) => [String(id), Array.isArray(fields) ? fields : []]) : []

export const lettersOf = (
  connection: Connection,
  { letterOf, putBack, stream }: LettersOptions
): Required<Connector.Letters> => {
  const failing = <A>(effect: Effect.Effect<A, RedisError>) =>
    Effect.mapError(effect, ({ reason }) => new ConnectorError.LettersError({ reason }))
  const list = (after: string | undefined, max: number) =>
    Effect.map(
      connection.send(["XRANGE", stream, after === undefined ? "-" : `(${after}`, "+", "COUNT", String(max)]),
      (reply) => entriesOf(reply).map(([id, fields]) => ({ key: id, letter: letterOf(id, fields) }))
    )
  const known = (keys: ReadonlyArray<string>) => keys.filter((key) => entryId.test(key))
  const find = (
    id: string,
    after: string | undefined
  ): Effect.Effect<ReadonlyArray<Connector.StoredLetter>, RedisError> =>
    Effect.flatMap(list(after, page), (letters) => {
      const found = letters.filter(({ letter }) => letter.id === id)
      return letters.length < page
        ? Effect.succeed(found)
        : Effect.map(find(id, letters.at(-1)?.key), (rest) => [...found, ...rest])
    })
  return {
    list: ({ after, max }) =>
      Effect.map(failing(list(after, max)), (letters) => ({
        letters,
        next: letters.length < max ? undefined : letters.at(-1)?.key
      })),
    find: (id) => failing(find(id, undefined)),
    remove: (keys) =>
      Effect.suspend(() => {
        const ids = known(keys)
        return ids.length === 0 ? Effect.void : Effect.asVoid(failing(connection.send(["XDEL", stream, ...ids])))
      }),
    putBack: (keys) =>
      Effect.suspend(() => {
        const ids = known(keys)
        return ids.length === 0 ? Effect.succeed([]) : failing(putBack(ids))
      })
  }
}

/**
 * Where the dead letters of a task are, and how they go back from there: the task's own sink, and its source.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Letters, SourceService, StoredLetter } from "../../Connector.ts"
import { LettersError } from "../../ConnectorError.ts"
import type { DeadLetter } from "../../DeadLetter.ts"
import { NotFound, Unsupported } from "../../Reason.ts"
import type { Place } from "../../Redrive.ts"
import * as Transaction from "../../Transaction.ts"
import type { Definition } from "../definition.ts"
import { service } from "../engine/run.ts"

/** What became of letters that were to go back: how many were no longer there, and which failed. */
export interface WentBack {
  readonly gone: number
  readonly failed: ReadonlyArray<{ readonly id: string; readonly reason: string }>
}

/** One place, as this task sees it. */
export interface Kept {
  readonly place: Place
  /** The id of the connector's key. */
  readonly connector: string
  readonly letters: Letters
  /** Whether a letter is one of the task's: a sink may be shared. `name` is the one under which it was given up. */
  readonly isOurs: (letter: DeadLetter, name: string | undefined) => boolean
  /** Why nothing goes back from here, or how it does. */
  readonly goBack: Unsupported | ((stored: ReadonlyArray<StoredLetter>) => Effect.Effect<WentBack, LettersError>)
}

const unsupported = (message: string): Unsupported => new Unsupported({ message })

const failedOf = (error: LettersError, stored: ReadonlyArray<StoredLetter>): WentBack["failed"] =>
  (error.failed ?? []).flatMap(({ index, reason }) => {
    const id = stored[index]?.letter.id
    return id === undefined ? [] : [{ id, reason: `${reason._tag}: ${reason.message}` }]
  })

/** Those that failed by themselves; an error of the whole batch stays one. */
const inPart = (
  effect: Effect.Effect<unknown, LettersError>,
  stored: ReadonlyArray<StoredLetter>
): Effect.Effect<WentBack["failed"], LettersError> =>
  Effect.matchEffect(effect, {
    onSuccess: () => Effect.succeed([]),
    onFailure: (error) => error.failed === undefined ? Effect.fail(error) : Effect.succeed(failedOf(error, stored))
  })

/** From a source's own letters: in one step at the source. */
const putBack = (putBack: NonNullable<Letters["putBack"]>) => (stored: ReadonlyArray<StoredLetter>) =>
  Effect.suspend(() => {
    let gone = 0
    const back = Effect.map(putBack(stored.map(({ key }) => key)), (keys) => {
      gone = stored.length - keys.length
    })
    return Effect.map(inPart(back, stored), (failed): WentBack => ({ gone, failed }))
  })

/** From a sink: first to the source, and only then away from the sink. Doing it again changes nothing. */
const takeBack =
  (takeBack: NonNullable<SourceService["takeBack"]>, letters: Letters) => (stored: ReadonlyArray<StoredLetter>) =>
    Effect.gen(function*() {
      const refused = yield* inPart(
        takeBack(stored.map(({ letter: { id, metadata, payload } }) => Transaction.make(id, payload, metadata))),
        stored
      )
      const ids = new Set(refused.map(({ id }) => id))
      const back = stored.filter(({ letter }) => !ids.has(letter.id))
      if (back.length === 0) return { gone: 0, failed: refused }
      const kept = yield* inPart(letters.remove(back.map(({ key }) => key)), back)
      return { gone: 0, failed: [...refused, ...kept] }
    })

const sinkOf = (definition: Definition, context: Context.Context<never>): Kept | string | undefined => {
  const { deadLetter, from, name } = definition
  if (deadLetter === undefined || deadLetter === "discard") return undefined
  const { letters } = service(context, deadLetter).deadLetters
  if (letters === undefined) {
    return `the dead letters in "${deadLetter.id}" cannot be read here: the connector has no way to. Look for them in ` +
      "the system that it writes to"
  }
  const source = from._tag === "source" ? service(context, from.key).source : undefined
  const sourceId = from._tag === "source" ? from.key.id : name
  return {
    place: "sink",
    connector: deadLetter.id,
    letters,
    isOurs: (letter, task = name) => letter.task === task && letter.source === sourceId,
    goBack: source?.takeBack !== undefined
      ? takeBack(source.takeBack.bind(source), letters)
      : unsupported(
        from._tag === "source"
          ? `source "${sourceId}" takes nothing back, so that the letters in "${deadLetter.id}" can be read and not ` +
            "redriven. Each holds the payload as it arrived: put that where the source reads, or run it by itself " +
            "(Task.runJson)"
          : `task "${name}" is a producer: nothing goes back to where its transactions come from. Run it again, or run ` +
            "one transaction by itself (Task.runTransaction)"
      )
  }
}

const ownOf = ({ from }: Definition, context: Context.Context<never>): Kept | undefined => {
  if (from._tag === "stream") return undefined
  const { letters } = service(context, from.key).source
  if (letters === undefined) return undefined
  return {
    place: "source",
    connector: from.key.id,
    letters,
    // Whatever a source keeps was meant for whoever consumes from it.
    isOurs: (letter, task) => task === undefined || letter.task === task,
    goBack: letters.putBack === undefined
      ? unsupported(`source "${from.key.id}" puts no dead letters back: its own tools have to`)
      : putBack(letters.putBack.bind(letters))
  }
}

/** The places of a task, the sink first; at least one. Fails with `Unsupported` that says what there is instead. */
export const placesOf = (
  definition: Definition,
  context: Context.Context<never>,
  from: Place | undefined
): Effect.Effect<ReadonlyArray<Kept>, LettersError> => {
  const refuse = (message: string) => Effect.fail(new LettersError({ reason: unsupported(message) }))
  const { name } = definition
  const sink = sinkOf(definition, context)
  const own = ownOf(definition, context)
  if (from === "source") {
    return own === undefined
      ? refuse(`the source of task "${name}" keeps no dead letters that can be read`)
      : Effect.succeed([own])
  }
  if (typeof sink === "string") {
    return refuse(own === undefined || from === "sink" ? sink : `${sink}. The source keeps letters too: from "source"`)
  }
  if (from === "sink") {
    return sink === undefined
      ? refuse(`task "${name}" sends its dead letters to no sink: it has no Task.deadLetter`)
      : Effect.succeed([sink])
  }
  const places = [sink, own].filter((place) => place !== undefined)
  if (places.length > 0) return Effect.succeed(places)
  return refuse(
    definition.deadLetter === "discard"
      ? `task "${name}" discards what it gives up: there are no dead letters`
      : `task "${name}" has no dead letters that can be read: its source keeps none, and it has no Task.deadLetter`
  )
}

export const notFound = (name: string, id: string): LettersError =>
  new LettersError({ reason: new NotFound({ message: `task "${name}" has no dead letter of transaction "${id}"` }) })

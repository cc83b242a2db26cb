/**
 * A film as it arrives, and the schema that it has to fit. What does not fit becomes a dead letter, and the messages
 * written here are its reason: they are for the person who will read it.
 */
import { Schema, SchemaTransformation } from "effect"

/** As it stands in the file, where nothing is sure. */
export const RawFilm = Schema.Record(Schema.String, Schema.Json)
export type RawFilm = typeof RawFilm.Type

/** Title and release date are unique together. Either may be missing, and nine titles are numbers. */
export const idOf = (film: RawFilm): string =>
  `${textOf(film["Title"]) ?? "untitled"}, ${textOf(film["Release Date"]) ?? "undated"}`

const textOf = (value: Schema.Json | undefined): string | undefined =>
  typeof value === "string" || typeof value === "number" ? String(value) : undefined

// 1776, 300 and 21 are films.
const Title = Schema.Union([Schema.String, Schema.Number]).annotate({ message: "it has no title" }).pipe(
  Schema.decodeTo(
    Schema.String,
    SchemaTransformation.transform<string, string | number>({ decode: String, encode: (title) => title })
  )
)

// "Jun 12 1998"
const ReleaseDate = Schema.String.annotate({ message: "it has no release date" }).pipe(
  Schema.decodeTo(
    Schema.Date.annotate({ message: "its release date is not a date" }),
    SchemaTransformation.transform({
      decode: (text) => new Date(`${text} UTC`),
      encode: (date) => date.toISOString().slice(0, 10)
    })
  ),
  Schema.check(Schema.makeFilter((date) => {
    if (date.getUTCFullYear() > 2011) return "it was released after the data was collected: a century late?"
    if (date.getTime() === noDate) return "it was released on Dec 31 1969, the day that stands for no date at all"
    return undefined
  }))
)

const noDate = Date.UTC(1969, 11, 31)

const Dollars = (message: string) => Schema.Number.annotate({ message }).check(Schema.isInt())

export const Film = Schema.Struct({
  title: Title,
  released: ReleaseDate,
  budget: Dollars("its budget is not known"),
  gross: Dollars("its worldwide gross is not known"),
  critics: Schema.NullOr(Schema.Number),
  audience: Schema.NullOr(Schema.Number)
}).pipe(
  Schema.encodeKeys({
    title: "Title",
    released: "Release Date",
    budget: "Production Budget",
    gross: "Worldwide Gross",
    critics: "Rotten Tomatoes Rating",
    audience: "IMDB Rating"
  })
)
export type Film = typeof Film.Type

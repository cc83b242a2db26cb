/**
 * The films of vega-datasets: 3,201 records of real data, collected about 2010, with the flaws that real data has.
 */
import { Effect, Schema, Stream } from "effect"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { RawFilm } from "./film.ts"

const path = join(dirname(createRequire(import.meta.url).resolve("vega-datasets")), "../data/movies.json")
const decode = Schema.decodeEffect(Schema.fromJsonString(Schema.Array(RawFilm)))

export const movies = Stream.fromIterableEffect(
  Effect.flatMap(Effect.promise(() => readFile(path, "utf8")), decode)
)

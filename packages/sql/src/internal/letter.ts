/**
 * What a dead letter is made of, from text in a column. Rows can be written by hand, so everything may be there.
 */
import { DeadLetter } from "@ergon/core"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))
const decodeMetadata = Schema.decodeUnknownOption(Schema.fromJsonString(DeadLetter.DeadLetter.fields.metadata))

/** The payload; what is no JSON as it stands. */
export const payloadOf = (text: string | null): unknown => Option.getOrElse(decodeJson(text), () => text)

/** The metadata; none where there is none to be read. */
export const metadataOf = (text: string | null): DeadLetter.DeadLetter["metadata"] =>
  Option.getOrElse(decodeMetadata(text), () => ({}))

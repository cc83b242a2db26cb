/**
 * The one place where payloads are decoded and encoded. A codec is compiled once per key and format: a plain schema is
 * not wire-safe (Date, bigint and Option do not survive JSON), its codec for the format is.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Format } from "../Connector.ts"
import * as Transaction from "../Transaction.ts"

const codec = <S extends Schema.Constraint>(
  payload: S,
  format: Format
): Schema.Codec<S["Type"], unknown, S["DecodingServices"], S["EncodingServices"]> => {
  const schema = payload as unknown as Schema.Codec<S["Type"], unknown, S["DecodingServices"], S["EncodingServices"]>
  switch (format) {
    case "json":
      return Schema.toCodecJson(schema)
    case "strings":
      return Schema.toCodecStringTree(schema)
    case "native":
      return Schema.toType(schema) as typeof schema
  }
}

export const decoder = <S extends Schema.Constraint>(payload: S, format: Format): (
  u: unknown
) => Effect.Effect<S["Type"], Schema.SchemaError, S["DecodingServices"]> =>
  Schema.decodeUnknownEffect(codec(payload, format), { errors: "all" })

export const encoder = <S extends Schema.Constraint>(payload: S, format: Format): (
  transaction: Transaction.Transaction<S["Type"]>
) => Effect.Effect<Transaction.Transaction<unknown>, Schema.SchemaError, S["EncodingServices"]> => {
  const encode = Schema.encodeUnknownEffect(codec(payload, format))
  return (transaction) =>
    Effect.map(encode(transaction.payload), (encoded) => Transaction.withPayload(transaction, encoded))
}

/**
 * The one place where payloads are decoded and encoded. A codec is compiled once per key and format: a plain schema is
 * not wire-safe (Date, bigint and Option do not survive JSON), its codec for the format is.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

// `Connector.Format`, which stands above this file.
type Format = "json" | "strings" | "native"

type WireCodec<S extends Schema.Constraint> = Schema.Codec<
  S["Type"],
  unknown,
  S["DecodingServices"],
  S["EncodingServices"]
>

const codec = <S extends Schema.Constraint>(payload: S, format: Format): WireCodec<S> => {
  const schema = payload as unknown as WireCodec<S>
  switch (format) {
    case "json":
      return Schema.toCodecJson(schema)
    case "strings":
      return Schema.toCodecStringTree(schema)
    case "native":
      return Schema.toType(schema) as unknown as WireCodec<S>
  }
}

/**
 * Decodes payloads of one format. The result is an `Exit` where the schema needs nothing asynchronous, so that a hot
 * path can look at it without a fiber. The first problem is enough to fail; `explain` lists them all.
 */
export const decoder = <S extends Schema.Constraint>(payload: S, format: Format): {
  readonly decode: (u: unknown) => Effect.Effect<S["Type"], Schema.SchemaError, S["DecodingServices"]>
  readonly explain: (u: unknown) => Effect.Effect<S["Type"], Schema.SchemaError, S["DecodingServices"]>
} => {
  const compiled = codec(payload, format)
  const decode = Schema.decodeUnknownEffect(compiled)
  return { decode, explain: (u) => decode(u, { errors: "all" }) }
}

/** Encodes payloads to one format; an `Exit` where the schema needs nothing asynchronous. */
export const encoder = <S extends Schema.Constraint>(payload: S, format: Format): (
  payload: S["Type"]
) => Effect.Effect<unknown, Schema.SchemaError, S["EncodingServices"]> =>
  Schema.encodeUnknownEffect(codec(payload, format))

/**
 * Reads OTLP requests in protobuf as the JSON that the same request would be. It knows the wire format and the fields
 * that the tests look at; everything else is left out.
 */

type Kind = "string" | "hex" | "fixed64" | "varint" | "bool" | "double" | "packedFixed64" | "packedDouble" | Fields

interface Fields {
  readonly [number: number]: readonly [name: string, kind: () => Kind, repeated?: "repeated"]
}

const string = (): Kind => "string"
const hex = (): Kind => "hex"
const fixed64 = (): Kind => "fixed64"
const varint = (): Kind => "varint"
const double = (): Kind => "double"

const anyValue: Fields = {
  1: ["stringValue", string],
  2: ["boolValue", () => "bool"],
  3: ["intValue", varint],
  4: ["doubleValue", double],
  5: ["arrayValue", () => ({ 1: ["values", () => anyValue, "repeated"] })],
  6: ["kvlistValue", () => ({ 1: ["values", () => keyValue, "repeated"] })]
}
const keyValue: Fields = { 1: ["key", string], 2: ["value", () => anyValue] }
const attributes = ["attributes", () => keyValue, "repeated"] as const
const resource: Fields = { 1: attributes }
const scope: Fields = { 1: ["name", string], 2: ["version", string] }

const span: Fields = {
  1: ["traceId", hex],
  2: ["spanId", hex],
  4: ["parentSpanId", hex],
  5: ["name", string],
  6: ["kind", varint],
  7: ["startTimeUnixNano", fixed64],
  8: ["endTimeUnixNano", fixed64],
  9: attributes,
  11: ["events", () => ({ 1: ["timeUnixNano", fixed64], 2: ["name", string], 3: attributes }), "repeated"],
  13: ["links", () => ({ 1: ["traceId", hex], 2: ["spanId", hex], 4: attributes }), "repeated"],
  15: ["status", () => ({ 2: ["message", string], 3: ["code", varint] })]
}

const logRecord: Fields = {
  1: ["timeUnixNano", fixed64],
  2: ["severityNumber", varint],
  3: ["severityText", string],
  5: ["body", () => anyValue],
  6: attributes,
  9: ["traceId", hex],
  10: ["spanId", hex]
}

const numberPoint: Fields = {
  3: ["timeUnixNano", fixed64],
  4: ["asDouble", double],
  6: ["asInt", fixed64],
  7: attributes
}
const histogramPoint: Fields = {
  4: ["count", fixed64],
  5: ["sum", double],
  6: ["bucketCounts", () => "packedFixed64"],
  7: ["explicitBounds", () => "packedDouble"],
  9: attributes
}
const points = (point: Fields): Fields => ({
  1: ["dataPoints", () => point, "repeated"],
  2: ["aggregationTemporality", varint],
  3: ["isMonotonic", () => "bool"]
})
const metric: Fields = {
  1: ["name", string],
  2: ["description", string],
  3: ["unit", string],
  5: ["gauge", () => points(numberPoint)],
  7: ["sum", () => points(numberPoint)],
  9: ["histogram", () => points(histogramPoint)]
}

const request = (all: string, each: string, items: string, item: Fields): Fields => ({
  1: [all, () => ({
    1: ["resource", () => resource],
    2: [each, () => ({ 1: ["scope", () => scope], 2: [items, () => item, "repeated"] }), "repeated"]
  }), "repeated"]
})

export const requests = {
  traces: request("resourceSpans", "scopeSpans", "spans", span),
  metrics: request("resourceMetrics", "scopeMetrics", "metrics", metric),
  logs: request("resourceLogs", "scopeLogs", "logRecords", logRecord)
}

export const decode = (bytes: Buffer, fields: Fields): Record<string, unknown> => {
  const message: Record<string, unknown> = {}
  let offset = 0
  const readVarint = (): bigint => {
    let value = 0n
    for (let shift = 0n;; shift += 7n) {
      const byte = bytes[offset++]
      if (byte === undefined) throw new Error("a varint is cut")
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number): Buffer => {
    if (offset + length > bytes.length) throw new Error("a field is cut")
    offset += length
    return bytes.subarray(offset - length, offset)
  }
  const wire = (type: number): bigint | Buffer => {
    switch (type) {
      case 0:
        return readVarint()
      case 1:
        return take(8)
      case 2:
        return take(Number(readVarint()))
      case 5:
        return take(4)
      default:
        throw new Error(`wire type ${type}`)
    }
  }
  const valueOf = (kind: Kind, raw: bigint | Buffer): unknown => {
    if (typeof kind === "object") return decode(raw as Buffer, kind)
    if (typeof raw === "bigint") return kind === "bool" ? raw === 1n : Number(BigInt.asIntN(64, raw))
    switch (kind) {
      case "string":
        return raw.toString("utf8")
      case "hex":
        return raw.toString("hex")
      case "fixed64":
        return raw.readBigUInt64LE().toString()
      case "double":
        return raw.readDoubleLE()
      case "packedFixed64":
        return Array.from({ length: raw.length / 8 }, (_, index) => raw.readBigUInt64LE(index * 8).toString())
      case "packedDouble":
        return Array.from({ length: raw.length / 8 }, (_, index) => raw.readDoubleLE(index * 8))
      default:
        throw new Error(`${kind} as bytes`)
    }
  }
  while (offset < bytes.length) {
    const tag = Number(readVarint())
    const raw = wire(tag & 7)
    const field = fields[tag >> 3]
    if (field === undefined) continue
    const [name, kind, repeated] = field
    const value = valueOf(kind(), raw)
    if (repeated === undefined) message[name] = value
    else message[name] = [...(message[name] as Array<unknown> | undefined ?? []), value]
  }
  return message
}

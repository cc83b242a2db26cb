/** The pictures of what was recorded: the same data gives the same pictures. */
import { Schema } from "effect"
import { charts } from "./charts.ts"
import { waterfall } from "./waterfall.ts"

const Trace = Schema.Struct({
  spans: Schema.Array(Schema.Struct({
    service: Schema.String,
    traceId: Schema.String,
    spanId: Schema.String,
    parentSpanId: Schema.optional(Schema.String),
    name: Schema.String,
    start: Schema.Number,
    end: Schema.Number,
    attributes: Schema.Record(Schema.String, Schema.String),
    error: Schema.optional(Schema.String)
  })),
  lines: Schema.Array(Schema.Struct({
    spanId: Schema.String,
    at: Schema.Number,
    level: Schema.String,
    text: Schema.String
  }))
})

export const Recorded = Schema.Struct({
  /** An order that is tried again, and one that is delivered twice. */
  retried: Trace,
  redelivered: Trace,
  panels: Schema.Array(Schema.Struct({
    title: Schema.String,
    unit: Schema.String,
    curves: Schema.Array(Schema.Struct({
      name: Schema.String,
      points: Schema.Array(Schema.Tuple([Schema.Number, Schema.Number]))
    }))
  }))
})

export const drawn = ({ panels, redelivered, retried }: typeof Recorded.Type) => ({
  trace: waterfall("order-1", retried.spans),
  redelivered: waterfall("order-4", redelivered.spans),
  dashboard: charts(
    "Panels of the dashboard over two minutes",
    "Six panels of the task ship: orders come faster from second 30 to 50 and the backlog grows; from second 70 to 90 the carrier is busy and attempts are repeated.",
    panels
  )
})

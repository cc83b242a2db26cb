/**
 * A Prometheus of a test's own: it scrapes what it is told to, and answers queries.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Program from "./Program.ts"
import * as Server from "./Server.ts"
import * as Services from "./Services.ts"

/**
 * What its tests need; `promtool` comes with it.
 *
 * @category services
 * @since 0.1.0
 */
export const needs: Services.Service = Services.program("prometheus", "apt-get install prometheus")

/**
 * It refused a query, or did not answer one.
 *
 * @category errors
 * @since 0.1.0
 */
export class Refused extends Data.TaggedError("Refused")<{ readonly message: string }> {}

/**
 * - `targets`: the ports of the loopback interface whose /metrics it asks for; each is an `instance` of the job `ergon`.
 * - `interval`: seconds between two scrapes, and between two evaluations of the rules.
 * - `rules`: files of rules.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly targets: ReadonlyArray<number>
  readonly interval?: number | undefined
  readonly rules?: ReadonlyArray<string> | undefined
}

/**
 * A value, and what it is of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sample {
  readonly labels: { readonly [name: string]: string }
  readonly value: number
}

/**
 * Values over time, in seconds since 1970.
 *
 * @category models
 * @since 0.1.0
 */
export interface Series {
  readonly labels: { readonly [name: string]: string }
  readonly points: ReadonlyArray<readonly [time: number, value: number]>
}

/**
 * Which part of the past a query is about, in seconds since 1970, and the seconds between two of its points.
 *
 * @category models
 * @since 0.1.0
 */
export interface Range {
  readonly from: number
  readonly to: number
  readonly step: number
}

/**
 * A running Prometheus.
 *
 * @category models
 * @since 0.1.0
 */
export interface Prometheus extends Server.Server {
  /** What the query gives now. A number by itself is a sample without labels. */
  readonly query: (query: string) => Effect.Effect<ReadonlyArray<Sample>, Refused>
  readonly range: (query: string, range: Range) => Effect.Effect<ReadonlyArray<Series>, Refused>
  /** The values of a label among the series that a selector names. */
  readonly labelValues: (label: string, of: string) => Effect.Effect<ReadonlyArray<string>, Refused>
  /** The type of every metric that a target has, by its name: `counter`, `gauge`, `histogram`. */
  readonly types: Effect.Effect<ReadonlyMap<string, string>, Refused>
  /** Of each target, what was wrong at its last scrape: empty when nothing was, `undefined` before the first. */
  readonly targets: Effect.Effect<ReadonlyArray<string | undefined>, Refused>
  /** The alerts of the rules: whether each is pending or firing. */
  readonly alerts: Effect.Effect<ReadonlyArray<{ readonly name: string; readonly state: string }>, Refused>
}

const Labels = Schema.Record(Schema.String, Schema.String)
const Point = Schema.Tuple([Schema.Number, Schema.String])

const ofQuery = Schema.Union([
  Schema.Struct({
    resultType: Schema.Literal("vector"),
    result: Schema.Array(Schema.Struct({ metric: Labels, value: Point }))
  }),
  Schema.Struct({ resultType: Schema.Literal("scalar"), result: Point })
])
const ofRange = Schema.Struct({ result: Schema.Array(Schema.Struct({ metric: Labels, values: Schema.Array(Point) })) })
const ofTargets = Schema.Struct({
  activeTargets: Schema.Array(Schema.Struct({ health: Schema.String, lastError: Schema.String }))
})
const ofAlerts = Schema.Struct({ alerts: Schema.Array(Schema.Struct({ labels: Labels, state: Schema.String })) })

const ofMetadata = Schema.Record(Schema.String, Schema.Array(Schema.Struct({ type: Schema.String })))

const answer = <S extends Schema.ConstraintDecoder<unknown>>(
  data: S
) => Schema.decodeUnknownEffect(Schema.Struct({ status: Schema.Literal("success"), data }))

/** As Prometheus writes a number: NaN and infinities have names. */
const number = (text: string): number => Number(text.replace("Inf", "Infinity"))

const configuration = ({ interval = 1, rules = [], targets }: Options): string =>
  JSON.stringify({
    global: { scrape_interval: `${interval}s`, scrape_timeout: `${interval}s`, evaluation_interval: `${interval}s` },
    rule_files: rules,
    scrape_configs: [{
      job_name: "ergon",
      static_configs: [{ targets: targets.map((port) => `127.0.0.1:${port}`) }]
    }]
  })

/**
 * Starts one. What it scraped stays over a stop and a kill, and goes with its scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const server = (options: Options): Effect.Effect<Prometheus, Server.NotStarted, Scope.Scope> =>
  Effect.map(
    Server.make({
      name: "prometheus",
      // JSON is YAML.
      prepare: ({ folder }) => Effect.sync(() => writeFileSync(join(folder, "prometheus.yml"), configuration(options))),
      command: ({ folder, port }) => ({
        command: "prometheus",
        args: [
          `--config.file=${join(folder, "prometheus.yml")}`,
          `--storage.tsdb.path=${join(folder, "data")}`,
          `--web.listen-address=127.0.0.1:${port}`,
          "--log.level=warn"
        ]
      }),
      ready: ({ port }) =>
        Effect.tryPromise(async () => {
          const { status } = await fetch(`http://127.0.0.1:${port}/-/ready`)
          if (status !== 200) throw new Error(`it answers ${status}`)
        })
    }),
    (server) => {
      const ask = <A>(
        path: string,
        parameters: { readonly [name: string]: string },
        decode: (body: unknown) => Effect.Effect<{ readonly data: A }, Schema.SchemaError>
      ) =>
        Effect.tryPromise({
          try: async (signal) => {
            const query = new URLSearchParams(parameters).toString()
            const response = await fetch(`http://127.0.0.1:${server.port}/api/v1/${path}?${query}`, { signal })
            const text = await response.text()
            if (response.status !== 200) throw new Error(text)
            const body: unknown = JSON.parse(text)
            return body
          },
          catch: (error) => new Refused({ message: `${Object.values(parameters).join(" ")}: ${String(error)}` })
        }).pipe(
          Effect.flatMap((body) =>
            Effect.mapError(decode(body), (error) => new Refused({ message: `${path}: ${error.message}` }))
          ),
          Effect.map(({ data }) => data)
        )
      return {
        ...server,
        query: (query) =>
          Effect.map(ask("query", { query }, answer(ofQuery)), (data) =>
            data.resultType === "scalar"
              ? [{ labels: {}, value: number(data.result[1]) }]
              : data.result.map(({ metric, value }) => ({ labels: metric, value: number(value[1]) }))),
        range: (query, { from, step, to }) =>
          Effect.map(
            ask("query_range", { query, start: `${from}`, end: `${to}`, step: `${step}` }, answer(ofRange)),
            ({ result }) =>
              result.map(({ metric, values }) => ({
                labels: metric,
                points: values.map(([time, value]) => [time, number(value)] as const)
              }))
          ),
        labelValues: (label, of) =>
          ask(`label/${label}/values`, { "match[]": of }, answer(Schema.Array(Schema.String))),
        types: Effect.map(
          ask("metadata", {}, answer(ofMetadata)),
          (metadata) => new Map(Object.entries(metadata).map(([name, [first]]) => [name, first?.type ?? ""]))
        ),
        targets: Effect.map(ask("targets", {}, answer(ofTargets)), ({ activeTargets }) =>
          activeTargets.map(({ health, lastError }) => health === "unknown" ? undefined : lastError)),
        alerts: Effect.map(ask("alerts", {}, answer(ofAlerts)), ({ alerts }) =>
          alerts.map(({ labels, state }) => ({ name: labels["alertname"] ?? "", state })))
      }
    }
  )

/**
 * Runs `promtool` and answers what it says; fails when it finds something.
 *
 * @category constructors
 * @since 0.1.0
 */
export const tool = (...args: ReadonlyArray<string>): Effect.Effect<string, Program.Ended> =>
  Program.run({ command: "promtool", args })

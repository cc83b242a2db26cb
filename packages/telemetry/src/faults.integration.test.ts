/** What a collector does wrong, and what the pipeline notices of it: nothing. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Logger, type LogLevel, Scope } from "effect"
import * as Layer from "effect/Layer"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Observability from "./Observability.ts"
import { type Child, Children } from "./test/children.ts"

const children = new Children()

afterEach(() => children.end())

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void
const megabyte = 1024 * 1024

interface Line {
  readonly level: LogLevel.LogLevel
  readonly text: string
}

const start = async (how: string, port = 0): Promise<Child & { readonly port: number }> => {
  const child = children.run("./collector.ts", [String(port), how])
  const [, given] = await child.printed(/port (\d+)/)
  return { ...child, port: Number(given) }
}

/** Telemetry that stays open for a while, and all that it logs. */
const open = async (port: number, input: Observability.Input = {}) => {
  const lines: Array<Line> = []
  const looking = new Set<() => void>()
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push({ level: logLevel, text: String(message) })
    for (const look of looking) look()
  })
  const scope = Scope.makeUnsafe()
  const telemetry = Observability.layer(
    Observability.merge({
      otlp: { endpoint: `http://127.0.0.1:${port}`, timeout: "500 millis" },
      traces: { queue: { delay: "50 millis" } },
      metrics: { exporters: [] },
      logs: { exporters: [] }
    }, input)
  )
  const context = await Effect.runPromise(
    Layer.buildWithScope(telemetry, scope).pipe(Effect.provide(Logger.layer([logger])))
  )
  return {
    lines,
    told: (level: LogLevel.LogLevel) => lines.filter((line) => line.level === level).map(({ text }) => text),
    until: (level: LogLevel.LogLevel) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!lines.some((line) => line.level === level)) return
          looking.delete(look)
          resolve()
        }
        looking.add(look)
        look()
      }),
    run: <A>(effect: Effect.Effect<A>) => Effect.runPromiseWith(context)(effect),
    close: async () => {
      const began = performance.now()
      await Effect.runPromise(Scope.close(scope, Exit.void))
      return performance.now() - began
    }
  }
}

const spans = (count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => index),
    (index) => {
      const span = Effect.void.pipe(Effect.withSpan("transaction", { attributes: { index } }))
      return index % 50 === 0 ? Effect.andThen(Effect.yieldNow, span) : span
    },
    { discard: true }
  )

/** Milliseconds of work of this process, whatever else the machine does. */
const cost = async (work: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage()
  await work()
  const { system, user } = process.cpuUsage(before)
  return (system + user) / 1000
}

const many = 100_000

describe("100,000 spans", () => {
  let healthy = 0

  beforeAll(async () => {
    const collector = await start("ok")
    const telemetry = await open(collector.port)
    await telemetry.run(spans(many / 10))
    healthy = await cost(() => telemetry.run(spans(many)))
    await telemetry.close()
    await children.end()
  }, 60_000)

  interface Fault {
    readonly name: string
    readonly how: string
    readonly reason: RegExp
    readonly signal?: NodeJS.Signals
  }

  // A queue that is full before the first answer is as true.
  const faults: ReadonlyArray<Fault> = [
    { name: "is down", how: "ok", reason: /ECONNREFUSED|does not keep up/, signal: "SIGKILL" },
    { name: "is frozen", how: "ok", reason: /no answer within 500ms|does not keep up/, signal: "SIGSTOP" },
    { name: "answers after ten seconds", how: "slow", reason: /no answer within 500ms|does not keep up/ },
    { name: "answers 500", how: "500", reason: /it answers 500|does not keep up/ },
    { name: "answers 401", how: "401", reason: /it answers 401|does not keep up/ },
    { name: "answers 503", how: "503", reason: /it answers 503|does not keep up/ }
  ]

  it.each(faults)("a collector that $name costs nothing, and is told once", async ({ how, reason, signal }) => {
    const collector = await start(how)
    if (signal !== undefined) collector.process.kill(signal)
    const telemetry = await open(collector.port)
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    const spent = await cost(() => telemetry.run(spans(many)))
    collectGarbage()
    const grown = (process.memoryUsage().heapUsed - before) / megabyte
    await telemetry.until("Warn")
    const closing = await telemetry.close()

    // The queue and what is being sent: a few thousand spans. All of them would be above 100 MB.
    expect(grown).toBeLessThan(30)
    expect(spent).toBeLessThan(healthy * 1.5)
    expect(closing).toBeLessThan(4000)
    expect(telemetry.told("Warn").filter((text) => text.includes("does not take the traces"))).toEqual([
      expect.stringMatching(reason)
    ])
    expect(telemetry.told("Info")).toEqual([])
  })
})

describe("a collector that was gone", () => {
  it("is used again when it is back, and told once", async () => {
    const gone = await start("ok")
    const telemetry = await open(gone.port)
    await telemetry.run(spans(10))
    await gone.printed(/spans 10\n/)
    gone.process.kill("SIGKILL")
    await gone.ended
    for (let batch = 0; batch < 3; batch++) await telemetry.run(spans(10))
    await telemetry.until("Warn")

    const back = await start("ok", gone.port)
    const sending = setInterval(() => void telemetry.run(spans(1)), 20)
    await telemetry.until("Info")
    clearInterval(sending)
    await telemetry.close()
    const [, received] = await back.printed(/spans (\d+)\n/)
    expect(Number(received)).toBeGreaterThan(0)
    expect(telemetry.lines.map(({ level }) => level)).toEqual(["Warn", "Info"])
    expect(telemetry.told("Info")).toEqual([expect.stringMatching(/is back; \d+ spans and log records were lost/)])
  })

  it("and was only frozen, is used again", async () => {
    const collector = await start("ok")
    const telemetry = await open(collector.port)
    collector.process.kill("SIGSTOP")
    await telemetry.run(spans(10))
    await telemetry.until("Warn")
    collector.process.kill("SIGCONT")
    const sending = setInterval(() => void telemetry.run(spans(1)), 20)
    await telemetry.until("Info")
    clearInterval(sending)
    await telemetry.close()
    expect(telemetry.lines.map(({ level }) => level)).toEqual(["Warn", "Info"])
  })

  it("between two attempts of one export, loses nothing and is not told", async () => {
    const gone = await start("ok")
    gone.process.kill("SIGKILL")
    await gone.ended
    const telemetry = await open(gone.port, { otlp: { timeout: "30 seconds" } })
    await telemetry.run(spans(10))
    const back = await start("ok", gone.port)
    await back.printed(/spans 10\n/)
    await telemetry.close()
    expect(telemetry.lines).toEqual([])
  })
})

describe("the end", () => {
  it("waits for a frozen collector no longer than it may, and says what is lost", async () => {
    const collector = await start("ok")
    collector.process.kill("SIGSTOP")
    const telemetry = await open(collector.port, {
      otlp: { timeout: "10 seconds" },
      metrics: { exporters: ["otlp"] },
      logs: { exporters: ["otlp"] },
      shutdownTimeout: "1 second"
    })
    await telemetry.run(Effect.andThen(spans(10), Effect.logDebug("x")))
    const took = await telemetry.close()
    expect(took).toBeGreaterThan(900)
    expect(took).toBeLessThan(2000)
    expect(telemetry.told("Warn")).toContain("telemetry was not sent within 1s: what was left is lost")
  })

  it("of a process comes in time, and leaves nothing that keeps it alive", async () => {
    const collector = await start("ok")
    collector.process.kill("SIGSTOP")
    const child = children.run("./program.ts", ["wait"], {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}`
    })
    await child.printed(/ready/)
    const began = performance.now()
    child.process.kill("SIGTERM")
    const { stderr } = await child.ended
    expect(performance.now() - began).toBeLessThan(5000)
    expect(stderr).toContain("telemetry was not sent within 3s")
  })

  it("of a process whose collector is down is not held up by retries", async () => {
    const collector = await start("ok")
    collector.process.kill("SIGKILL")
    await collector.ended
    const child = children.run("./program.ts", ["succeed"], {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}`
    })
    const { code, stderr } = await child.ended
    expect(code).toBe(0)
    expect(stderr.split("\n").filter((line) => line.includes("\"WARN\""))).not.toEqual([])
  })
})

afterAll(() => children.end())

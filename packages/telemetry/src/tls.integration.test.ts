import { afterAll, afterEach, beforeAll, describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Logger } from "effect"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { ServerOptions } from "node:https"
import * as Observability from "./Observability.ts"
import { receive, type Receiver } from "./test/receiver.ts"

let folder = ""
const receivers = new Set<Receiver>()

const file = (name: string): string => path.join(folder, name)
const read = (name: string): Buffer => fs.readFileSync(file(name))

const openssl = (line: string): void => {
  const { status, stderr } = spawnSync("openssl", line.split(" "), { cwd: folder, encoding: "utf8" })
  if (status !== 0) throw new Error(`openssl ${line}: ${stderr}`)
}

/** A key and a certificate that the authority has signed. */
const issue = (name: string, extension: string): void => {
  fs.writeFileSync(file(`${name}.ext`), `${extension}\n`)
  openssl(`req -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`)
  openssl(
    `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -out ${name}.pem -extfile ${name}.ext`
  )
}

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ergon-tls-"))
  openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 1 -subj /CN=ergon-test-authority")
  issue("collector", "subjectAltName = IP:127.0.0.1")
  issue("stranger", "subjectAltName = DNS:elsewhere.example")
  issue("client", "extendedKeyUsage = clientAuth")
})

afterEach(async () => {
  await Promise.all([...receivers].map((one) => one.close()))
  receivers.clear()
})

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const collector = async (tls: ServerOptions = { key: read("collector.key"), cert: read("collector.pem") }) => {
  const one = await receive({ tls })
  receivers.add(one)
  return one
}

/** Runs a program with a span under the variables, and answers with the warnings. */
const send = async (url: string, env: Record<string, string>): Promise<ReadonlyArray<string>> => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") warnings.push(String(message))
  })
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_LOGS_EXPORTER: "none",
    OTEL_METRICS_EXPORTER: "none",
    ...env
  }
  await Effect.runPromise(
    Effect.void.pipe(
      Effect.withSpan("secret"),
      Effect.provide(Observability.layerConfig({ shutdownTimeout: "2 seconds" }, { task: "tls" })),
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: environment })),
      Effect.provide(Logger.layer([logger]))
    )
  )
  return warnings
}

const trusted = () => ({ OTEL_EXPORTER_OTLP_CERTIFICATE: file("ca.pem") })

const names = ({ spans }: Receiver) => spans.map(({ name }) => name)

describe("over TLS", () => {
  it("a collector whose certificate is trusted is sent to", async () => {
    const one = await collector()
    expect(await send(one.url, trusted())).toEqual([])
    expect(names(one)).toEqual(["secret"])
  })

  it("the certificate of one signal goes before the shared one", async () => {
    const one = await collector()
    const env = {
      OTEL_EXPORTER_OTLP_CERTIFICATE: file("client.pem"),
      OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: file("ca.pem")
    }
    expect(await send(one.url, env)).toEqual([])
    expect(names(one)).toEqual(["secret"])
  })

  it("one that nobody vouches for is sent nothing, and a warning says so", async () => {
    const one = await collector()
    expect(await send(one.url, {})).toEqual([
      expect.stringMatching(
        /^the telemetry collector https:.* does not take the traces: UNABLE_TO_VERIFY_LEAF_SIGNATURE/
      )
    ])
    expect(one.requests).toEqual([])
  })

  it("one with the certificate of another name is sent nothing", async () => {
    const one = await collector({ key: read("stranger.key"), cert: read("stranger.pem") })
    expect(await send(one.url, trusted())).toEqual([expect.stringMatching(/ERR_TLS_CERT_ALTNAME_INVALID/)])
    expect(one.requests).toEqual([])
  })

  it("one that asks who we are is told by the client's certificate, and takes nothing without", async () => {
    const tls = {
      key: read("collector.key"),
      cert: read("collector.pem"),
      ca: read("ca.pem"),
      requestCert: true,
      rejectUnauthorized: true
    }
    const known = await collector(tls)
    const env = {
      ...trusted(),
      OTEL_EXPORTER_OTLP_CLIENT_KEY: file("client.key"),
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: file("client.pem")
    }
    expect(await send(known.url, env)).toEqual([])
    expect(names(known)).toEqual(["secret"])
    const unknown = await collector(tls)
    expect(await send(unknown.url, trusted())).toEqual([expect.stringMatching(/CERTIFICATE_REQUIRED/)])
    expect(unknown.requests).toEqual([])
  })
})

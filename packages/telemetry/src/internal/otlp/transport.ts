/**
 * Sends bodies to one URL by HTTP.
 *
 * The transport of the SDK bounds the silence of a socket, not the whole exchange, and its waits keep a process alive
 * after the end. Here `timeout` bounds everything: connecting, sending, answering and all retries with their waits.
 * `close` ends what is under way at once, and nothing is sent afterwards.
 *
 * A retry is made when there was no answer (refused, reset, unknown host) and for 429, 502, 503 and 504; none when one side
 * does not trust the certificate of the other.
 */
import * as Policy from "@ergon/core/Policy"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as http from "node:http"
import * as https from "node:https"
import { promisify } from "node:util"
import * as zlib from "node:zlib"
import type { OtlpExporter } from "../configuration/effective.ts"

/** What became of a body: the answer of the collector, or why there is none. Neither holds a secret. */
export type Sent =
  | { readonly ok: true; readonly body: Uint8Array }
  | { readonly ok: false; readonly reason: string }

export interface Certificates {
  readonly ca: Buffer | undefined
  readonly key: Buffer | undefined
  readonly cert: Buffer | undefined
}

type Tried = Sent | { readonly ok: "later"; readonly reason: string; readonly after: number | undefined }

const gzip = promisify(zlib.gzip)
const retryable = new Set([429, 502, 503, 504])
const mostOfAnswer = 64 * 1024
const mostAtOnce = 32

/** `Retry-After`, in milliseconds: seconds, or a date. */
const retryAfter = (header: string | undefined): number | undefined => {
  if (header === undefined) return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}

const isOfCertificates = (code: string): boolean => /CERT|^UNABLE_TO_/.test(code)

const codeOf = (error: Error): string => "code" in error && typeof error.code === "string" ? error.code : error.name

export class Transport {
  readonly #exporter: OtlpExporter
  readonly #agent: http.Agent
  readonly #request: typeof http.request
  readonly #contentType: string
  readonly #delays: ReadonlyArray<number>
  readonly #ends = new Set<() => void>()
  #closed = false

  constructor(exporter: OtlpExporter, certificates: Certificates) {
    const secure = new URL(exporter.url).protocol === "https:"
    this.#exporter = exporter
    this.#agent = secure
      ? new https.Agent({ keepAlive: true, ...certificates })
      : new http.Agent({ keepAlive: true })
    this.#request = secure ? https.request : http.request
    this.#contentType = exporter.protocol === "http/json" ? "application/json" : "application/x-protobuf"
    this.#delays = Policy.delays({ maxAttempts: 5, backoff: "1 second", multiplier: 1.5, cap: "5 seconds" })
  }

  /** Worst case: the `timeout` of the exporter. Never rejects. */
  async send(plain: Uint8Array): Promise<Sent> {
    const timeout = Duration.toMillis(this.#exporter.timeout)
    if (this.#closed) return { ok: false, reason: "it was closed" }
    if (this.#ends.size >= mostAtOnce) return { ok: false, reason: `${mostAtOnce} exports are under way` }

    let timer: NodeJS.Timeout | undefined
    const controller = new AbortController()
    const end = () => controller.abort()
    this.#ends.add(end)
    const late = new Promise<Sent>((resolve) => {
      timer = setTimeout(() => {
        resolve({ ok: false, reason: `no answer within ${Duration.format(this.#exporter.timeout)}` })
        end()
      }, timeout)
    })
    const ended = new Promise<Sent>((resolve) => {
      controller.signal.addEventListener("abort", () => resolve({ ok: false, reason: "it was closed" }), { once: true })
    })
    try {
      return await Promise.race([late, ended, this.#sendUntil(plain, Date.now() + timeout, controller.signal)])
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? codeOf(error) : "it cannot be sent" }
    } finally {
      clearTimeout(timer)
      this.#ends.delete(end)
    }
  }

  /** Ends what is under way, and every connection. */
  close(): void {
    this.#closed = true
    for (const end of this.#ends) end()
    this.#agent.destroy()
  }

  async #sendUntil(plain: Uint8Array, deadline: number, signal: AbortSignal): Promise<Sent> {
    const body = this.#exporter.compression === "gzip" ? await gzip(plain) : plain
    for (let retries = 0;; retries++) {
      const tried = await this.#try(body, signal)
      if (tried.ok !== "later") return tried
      const delay = tried.after ?? this.#delays[retries]
      if (delay === undefined || signal.aborted || Date.now() + delay >= deadline) {
        return { ok: false, reason: tried.reason }
      }
      if (delay > 0) await pause(delay, signal)
    }
  }

  #try(body: Uint8Array, signal: AbortSignal): Promise<Tried> {
    return new Promise((resolve) => {
      const { compression, headers, url } = this.#exporter
      const request = this.#request(url, {
        method: "POST",
        agent: this.#agent,
        signal,
        headers: {
          ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Redacted.value(value)])),
          "content-type": this.#contentType,
          "content-length": body.byteLength,
          "user-agent": "ergon-telemetry",
          ...(compression === "gzip" ? { "content-encoding": "gzip" } : {})
        }
      })
      request.on("response", (response) => {
        const status = response.statusCode ?? 0
        const chunks: Array<Buffer> = []
        let size = 0
        response.on("data", (chunk: Buffer) => {
          size += chunk.byteLength
          if (size <= mostOfAnswer) chunks.push(chunk)
          else request.destroy()
        })
        const answered = () => {
          if (status >= 200 && status < 300) resolve({ ok: true, body: Buffer.concat(chunks) })
          else if (retryable.has(status)) {
            resolve({ ok: "later", reason: `it answers ${status}`, after: retryAfter(response.headers["retry-after"]) })
          } else resolve({ ok: false, reason: `it answers ${status}` })
        }
        response.on("end", answered)
        response.on("close", answered)
        response.on("error", answered)
      })
      request.on("error", (error) => {
        // A connection that was kept open may have been closed by the other side meanwhile: that says nothing.
        const reason = codeOf(error)
        const after = request.reusedSocket && reason === "ECONNRESET" ? 0 : undefined
        resolve(isOfCertificates(reason) ? { ok: false, reason } : { ok: "later", reason, after })
      })
      request.end(body)
    })
  }
}

const pause = (delay: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, delay)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      resolve()
    }, { once: true })
  })

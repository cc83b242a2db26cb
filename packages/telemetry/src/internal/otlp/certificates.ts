/**
 * Whom to trust, and who we are: the PEM files of an exporter.
 */
import * as fs from "node:fs"
import type { Effective, OtlpExporter } from "../configuration/effective.ts"
import type { Certificates } from "./transport.ts"

/** Throws what reading a file throws. */
export const certificatesOf = ({ certificate, clientCertificate, clientKey }: OtlpExporter): Certificates => ({
  ca: certificate === undefined ? undefined : fs.readFileSync(certificate),
  cert: clientCertificate === undefined ? undefined : fs.readFileSync(clientCertificate),
  key: clientKey === undefined ? undefined : fs.readFileSync(clientKey)
})

/** The first file that cannot be read, and why; `undefined` when all can. */
export const unreadable = ({ logs, metrics, traces }: Effective): string | undefined => {
  for (const exporter of [...traces.exporters, ...metrics.exporters, ...logs.exporters]) {
    if (exporter.type === "console") continue
    try {
      certificatesOf(exporter)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  return undefined
}

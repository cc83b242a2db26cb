/**
 * The OTLP exporters of one Layer, and all that they hold open.
 */
import type { OtlpExporter } from "../configuration/effective.ts"
import { certificatesOf } from "../otlp/certificates.ts"
import type { Collectors } from "../otlp/collector.ts"
import { OtlpSignalExporter, type Serializer } from "../otlp/exporter.ts"
import { Transport } from "../otlp/transport.ts"

export class Outlets {
  readonly #collectors: Collectors
  readonly #transports = new Set<Transport>()

  constructor(collectors: Collectors) {
    this.#collectors = collectors
  }

  /** Throws what reading a certificate throws. */
  open<Items>(signal: string, exporter: OtlpExporter, serializer: Serializer<Items>): OtlpSignalExporter<Items> {
    const transport = new Transport(exporter, certificatesOf(exporter))
    this.#transports.add(transport)
    return new OtlpSignalExporter(signal, serializer, transport, this.#collectors.at(exporter.url))
  }

  /** Ends what is under way. */
  close(): void {
    for (const transport of this.#transports) transport.close()
  }
}

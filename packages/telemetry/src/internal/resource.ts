/**
 * Who sends: what stands on every span, metric and log record.
 */
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources"
import * as os from "node:os"
import type { Effective } from "./configuration/effective.ts"
import { configToAttributes } from "./effectOtel.ts"
import { version } from "./version.ts"

export interface Identity {
  readonly task?: string | undefined
  readonly execution?: string | undefined
  readonly worker?: number | undefined
}

/** What the configuration says wins; then who runs; then where. */
export const attributesOf = (
  { attributes, service }: Pick<Effective, "attributes" | "service">,
  { execution, task, worker }: Identity
): { readonly [name: string]: string | number | boolean } => ({
  ...configToAttributes({ serviceName: service.name ?? task ?? "unknown_service:ergon" }),
  "service.instance.id": execution ?? crypto.randomUUID(),
  "process.pid": process.pid,
  "process.runtime.name": "nodejs",
  "process.runtime.version": process.versions.node,
  "host.name": os.hostname(),
  "ergon.version": version,
  ...(worker === undefined ? {} : { "ergon.worker": worker }),
  ...attributes,
  ...(service.version === undefined ? {} : { "service.version": service.version }),
  ...(service.namespace === undefined ? {} : { "service.namespace": service.namespace })
})

export const resourceOf = (config: Pick<Effective, "attributes" | "service">, identity: Identity): Resource =>
  resourceFromAttributes(attributesOf(config, identity))

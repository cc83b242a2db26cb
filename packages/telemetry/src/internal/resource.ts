/**
 * Who sends: what stands on every span, metric and log record.
 *
 * An instance is what counts by itself: a run in one process, one worker of it, or a thread. Two workers of one execution
 * that shared an instance would overwrite each other's counters where only that id is looked at.
 */
import * as Telemetry from "@ergon/core/Telemetry"
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources"
import * as os from "node:os"
import type { Effective } from "./configuration/effective.ts"
import { configToAttributes } from "./effectOtel.ts"
import { version } from "./version.ts"

export interface Identity {
  readonly task?: string | undefined
  readonly execution?: string | undefined
  readonly worker?: number | undefined
  readonly thread?: number | undefined
}

/** What the configuration says wins; then who runs; then where. */
export const attributesOf = (
  { attributes, service }: Pick<Effective, "attributes" | "service">,
  { execution = crypto.randomUUID(), task, thread, worker }: Identity
): { readonly [name: string]: string | number | boolean } => ({
  ...configToAttributes({ serviceName: service.name ?? task ?? "unknown_service:ergon" }),
  "service.instance.id": [execution, worker, thread === undefined ? undefined : `thread-${thread}`]
    .filter((part) => part !== undefined).join("/"),
  "process.pid": process.pid,
  "process.runtime.name": "nodejs",
  "process.runtime.version": process.versions.node,
  "host.name": os.hostname(),
  [Telemetry.resource.version]: version,
  [Telemetry.resource.execution]: execution,
  ...(worker === undefined ? {} : { [Telemetry.resource.worker]: worker }),
  ...(thread === undefined ? {} : { "thread.id": thread }),
  ...attributes,
  ...(service.version === undefined ? {} : { "service.version": service.version }),
  ...(service.namespace === undefined ? {} : { "service.namespace": service.namespace })
})

export const resourceOf = (config: Pick<Effective, "attributes" | "service">, identity: Identity): Resource =>
  resourceFromAttributes(attributesOf(config, identity))

import { describe, expect, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as os from "node:os"
import { attributesOf } from "./resource.ts"
import { version } from "./version.ts"

const nothing = { attributes: {}, service: { name: undefined, version: undefined, namespace: undefined } }

describe("the resource", () => {
  it("says who runs, and where", () => {
    expect(attributesOf(nothing, { task: "orders", execution: "e-1", worker: 2 })).toMatchObject({
      "service.name": "orders",
      "service.instance.id": "e-1/2",
      "ergon.execution": "e-1",
      "ergon.worker": 2,
      "process.pid": process.pid,
      "host.name": os.hostname(),
      "ergon.version": version,
      "telemetry.sdk.language": "nodejs"
    })
  })

  it("prefers a service name to the task, and attributes to what is found out", () => {
    const given = attributesOf({
      attributes: { "host.name": "h", tier: "gold" },
      service: { name: "shop", version: "1.2.3", namespace: "eu" }
    }, { task: "orders" })
    expect(given).toMatchObject({
      "service.name": "shop",
      "service.version": "1.2.3",
      "service.namespace": "eu",
      "host.name": "h",
      tier: "gold"
    })
    expect(given).not.toHaveProperty("ergon.worker")
  })

  it("has an instance for each thread", () => {
    expect(attributesOf(nothing, { task: "orders", execution: "e-1", thread: 4 })).toMatchObject({
      "service.instance.id": "e-1/thread-4",
      "thread.id": 4
    })
  })

  it("has one instance for a run in one process", () => {
    expect(attributesOf(nothing, { task: "orders", execution: "e-1" })).toMatchObject({
      "service.instance.id": "e-1",
      "ergon.execution": "e-1"
    })
  })

  it("has an instance of its own each time no execution is given", () => {
    const instance = () => attributesOf(nothing, {})["service.instance.id"]
    expect(instance()).toMatch(/^[0-9a-f-]{36}$/)
    expect(instance()).not.toBe(instance())
  })

  it("tells the version of this package", () => {
    const manifest: unknown = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    expect(manifest).toHaveProperty("version", version)
  })
})

/**
 * A source that several processes share: a file for each transaction. One that is fetched is moved to `held`, with the
 * process that holds it in its name; when that process has gone, it is ready again.
 */
import { type Connector, ConnectorError, Delivery, Reason, Transaction } from "@ergon/core"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"

const names = (folder: string, part: string): ReadonlyArray<string> => fs.readdirSync(path.join(folder, part)).sort()

export const fill = (folder: string, payloads: ReadonlyArray<unknown>): void => {
  for (const part of ["ready", "held", "done", "failed"]) fs.mkdirSync(path.join(folder, part), { recursive: true })
  payloads.forEach((payload, n) => {
    fs.writeFileSync(path.join(folder, "ready", String(n).padStart(4, "0")), JSON.stringify(payload))
  })
}

export const left = (folder: string) => ({
  ready: names(folder, "ready").length,
  held: names(folder, "held").length,
  done: names(folder, "done").length,
  failed: names(folder, "failed").length
})

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const move = (from: string, to: string): boolean => {
  try {
    fs.renameSync(from, to)
    return true
  } catch {
    return false
  }
}

export const folderSource = (folder: string): Connector.SourceService => {
  const at = (part: string, name: string) => path.join(folder, part, name)
  // A thread shares its process, so the one who holds it is not told by the process alone.
  const own = `${process.pid}-`
  const returnOrphans = (): void => {
    for (const name of names(folder, "held")) {
      const [pid, id] = name.split("-")
      if (!isAlive(Number(pid))) move(at("held", name), at("ready", id!))
    }
  }
  return {
    format: "json",
    capabilities: {
      settlement: "each",
      lease: undefined,
      deliveries: "engine",
      requeueDelay: "engine",
      deadLetter: "native",
      ordering: "none"
    },
    fetch: ({ max }) =>
      Effect.try({
        try: () => {
          returnOrphans()
          return names(folder, "ready").slice(0, max)
            .filter((name) => move(at("ready", name), at("held", own + name)))
            .map((name) =>
              Delivery.make(Transaction.make(name, JSON.parse(fs.readFileSync(at("held", own + name), "utf8"))))
            )
        },
        catch: (error) => new ConnectorError.FetchError({ reason: new Reason.Unknown({ message: String(error) }) })
      }),
    settle: (settlements) =>
      Effect.sync(() => {
        for (const { delivery, disposition } of settlements) {
          const { id } = delivery.transaction
          const to = disposition._tag === "Ack" ? "done" : disposition._tag === "DeadLetter" ? "failed" : "ready"
          move(at("held", own + id), at(to, id))
        }
      }),
    count: Effect.sync(() => ({
      ready: names(folder, "ready").length,
      inFlight: names(folder, "held").length,
      delayed: 0
    }))
  }
}

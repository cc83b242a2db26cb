import { Services } from "@ergon/lab"
import { Duration, Effect, Layer, Redacted } from "effect"
import { conformance } from "./test/conformance.ts"
import { admin, database, server, tableOf } from "./test/mariadb.ts"
import { Mysql } from "./index.ts"

const secret = "hush-hush-hush"

await Services.describe([Services.mariadb], "on MariaDB", () =>
  conformance({
    time: "live",
    lease: Duration.seconds(1),
    open: Effect.gen(function*() {
      const names = new Map<string, string>()
      for (const name of ["items", "rows", "dead"]) names.set(name, yield* tableOf(name))
      const { cut, layer } = yield* database
      return { layer, admin, cut, table: (name: string) => names.get(name) ?? name }
    }),
    canCut: true,
    sideBySide: true,
    refused: (n) => ({ id: `refused-${n}-${"x".repeat(600)}`, payload: { refused: n }, metadata: {} }),
    keyOf: ({ id }) => id.slice(0, 500),
    secrets: [secret],
    failures: [
      Layer.build(Mysql.layer({ ...server, username: "nobody", password: Redacted.make(secret) })),
      Layer.build(Mysql.layer({ ...server, url: Redacted.make(`mysql://nobody:${secret}@127.0.0.1:1/test`), port: 1 }))
    ]
  }))

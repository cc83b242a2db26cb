import { Services } from "@ergon/lab"
import { Duration, Effect, Layer, Redacted } from "effect"
import { conformance } from "./test/conformance.ts"
import { database, server } from "./test/postgres.ts"
import { Postgres } from "./index.ts"

const secret = "hush-hush-hush"

await Services.describe([Services.postgres], "on PostgreSQL", () =>
  conformance({
    time: "live",
    lease: Duration.seconds(1),
    open: Effect.map(database, ({ admin, cut, layer }) => ({ layer, admin, cut, table: (name: string) => name })),
    canCut: true,
    sideBySide: false,
    refused: (n) => ({ id: `refused-\u0000-${n}`, payload: { refused: n }, metadata: {} }),
    keyOf: ({ id }) => id,
    secrets: [secret],
    failures: [
      Layer.build(Postgres.layer({ ...server, username: "nobody", password: Redacted.make(secret) })),
      Layer.build(Postgres.layer({ url: Redacted.make(`postgres://nobody:${secret}@127.0.0.1:1/test`) })),
      Layer.build(Postgres.layer({ url: Redacted.make(`https://nobody:${secret}@127.0.0.1:1/test`) }))
    ]
  }))

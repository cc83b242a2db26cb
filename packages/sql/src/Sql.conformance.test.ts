import { describe } from "@effect/vitest"
import { Context, Duration, Effect, Layer } from "effect"
import { conformance } from "./test/conformance.ts"
import { filename } from "./test/queues.ts"
import { Database, Sqlite } from "./index.ts"

describe("on SQLite", () =>
  conformance({
    time: "test",
    lease: Duration.seconds(20),
    open: Effect.map(filename, (filename) => {
      const layer = Sqlite.layer({ filename })
      const admin = Effect.map(Layer.build(Layer.fresh(layer)), (context) => Context.get(context, Database.Database))
      return { layer, admin, table: (name: string) => name }
    }),
    canCut: false,
    sideBySide: false,
    refused: (n) => ({ id: `refused-\u0000-${n}`, payload: { refused: n }, metadata: {} }),
    keyOf: ({ id }) => id
  }))

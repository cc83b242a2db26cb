import { Cluster } from "@ergon/kafka"
import { Kafka, MariaDb, Postgres, RabbitMq, Redis, type Server, Services } from "@ergon/lab"
import { assert, it } from "@effect/vitest"
import { Console, Effect, Layer, type Scope } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { program } from "./program.ts"
import { topics } from "./transports.ts"

const said = "3 priced, 1 dead-lettered, 3 receipts"

const run = async (transport: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
  const { stderr, stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@ergon/source", join(import.meta.dirname, "main.ts")],
    { env: { ...process.env, ...env, TRANSPORT: transport } }
  )
  assert.strictEqual(stderr, "")
  return stdout.trim()
}

interface Own {
  readonly needs: Services.Service
  readonly server: Effect.Effect<Server.Server, Server.NotStarted, Scope.Scope>
  readonly env: (port: number) => Readonly<Record<string, string>>
}

const servers: Readonly<Record<string, Own>> = {
  postgres: {
    needs: Postgres.needs,
    server: Postgres.server(),
    env: (port) => ({ POSTGRES_URL: `postgres://postgres@127.0.0.1:${port}/postgres` })
  },
  mariadb: {
    needs: MariaDb.needs,
    server: MariaDb.server(),
    env: (port) => ({ MYSQL_URL: `mysql://root@127.0.0.1:${port}/test` })
  },
  rabbitmq: {
    needs: RabbitMq.needs,
    server: RabbitMq.server(),
    env: (port) => ({ AMQP_URL: `amqp://guest:guest@127.0.0.1:${port}` })
  },
  redis: {
    needs: Redis.needs,
    server: Redis.server(),
    env: (port) => ({ REDIS_URL: `redis://127.0.0.1:${port}` })
  }
}

for (const transport of ["memory", "sqlite"]) {
  it(`one task on ${transport}`, async () => {
    assert.strictEqual(await run(transport), said)
  })
}

for (const [transport, { env, needs, server }] of Object.entries(servers)) {
  await Services.describe([needs], `one task on ${transport}`, () => {
    it.live("prices orders", () =>
      Effect.gen(function*() {
        const { port } = yield* server
        assert.strictEqual(yield* Effect.promise(() => run(transport, env(port))), said)
      }), 60_000)
  })
}

await Services.describe([Kafka.needs], "one task on kafka", () => {
  it.live("prices orders", () =>
    Effect.gen(function*() {
      const { port } = yield* Kafka.mock
      const lines: Array<unknown> = []
      const cluster = Cluster.layer({ brokers: [`127.0.0.1:${port}`], autocreateTopics: true, prepare: Kafka.prepare })
      yield* program.pipe(
        Effect.provide(Layer.provide(topics("shop"), cluster)),
        Effect.provideService(Console.Console, { ...console, log: (line: unknown) => void lines.push(line) })
      )
      assert.deepStrictEqual(lines, [said])
    }), 60_000)
})

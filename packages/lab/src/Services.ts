/**
 * The servers and programs that tests need. Where one is missing, its tests are left out by name, with the command that
 * brings it; with `ERGON_SERVICES=required` they fail instead.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import * as vitest from "vitest"
import * as Port from "./Port.ts"

/**
 * What a test needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service {
  readonly name: string
  /** What to run to have it. */
  readonly command: string
  readonly isThere: () => Promise<boolean>
}

const running = (name: string, port: number, command: string): Service => ({
  name: `${name} on 127.0.0.1:${port}`,
  command,
  isThere: () => Effect.runPromise(Port.accepts(port))
})

/**
 * A program of this name on the PATH, or a file at this path.
 *
 * @category constructors
 * @since 0.1.0
 */
export const program = (binary: string, command: string): Service => ({
  name: `the program ${binary}`,
  command,
  isThere: () =>
    Promise.resolve(
      binary.startsWith("/")
        ? existsSync(binary)
        : spawnSync("sh", ["-c", `command -v ${binary}`], { stdio: "ignore" }).status === 0
    )
})

/**
 * A running PostgreSQL: user `postgres`, database `test`, trusted.
 *
 * @category services
 * @since 0.1.0
 */
export const postgres: Service = running("PostgreSQL", 5432, "pg_ctlcluster 15 main start")

/**
 * A running MariaDB: user `root` without a password, database `test`.
 *
 * @category services
 * @since 0.1.0
 */
export const mariadb: Service = running("MariaDB", 3306, "mariadbd-safe")

/**
 * A running Redis.
 *
 * @category services
 * @since 0.1.0
 */
export const redis: Service = running("Redis", 6379, "redis-server --daemonize yes")

/**
 * A running RabbitMQ: guest, guest.
 *
 * @category services
 * @since 0.1.0
 */
export const rabbitmq: Service = running("RabbitMQ", 5672, "rabbitmq-server -detached")

/**
 * Tests that need these. Await it at the top of the file: `await Services.describe([Services.redis], "...", () => ...)`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const describe = async (
  needs: ReadonlyArray<Service>,
  name: string,
  body: () => void
): Promise<void> => {
  const missing: Array<Service> = []
  for (const one of needs) if (!(await one.isThere())) missing.push(one)
  if (missing.length === 0) {
    vitest.describe(name, body)
    return
  }
  const text = missing.map((one) => `${one.name}: ${one.command}`).join("; ")
  if (process.env["ERGON_SERVICES"] === "required") {
    vitest.it(`${name} needs ${text}`, () => {
      throw new Error(`missing: ${text}`)
    })
    return
  }
  // Left out, and said so: a reporter does not list by itself what was skipped.
  console.warn(`left out: ${name}, which needs ${text}`)
  vitest.describe.skip(`${name} (needs ${text})`, body)
}

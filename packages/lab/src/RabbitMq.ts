/**
 * A RabbitMQ node of a test's own, with an Erlang port mapper of its own.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Port from "./Port.ts"
import * as Program from "./Program.ts"
import * as Server from "./Server.ts"
import * as Services from "./Services.ts"

const bin = "/usr/lib/rabbitmq/bin"

/**
 * What its tests need.
 *
 * @category services
 * @since 0.1.0
 */
export const needs: Services.Service = Services.program(
  `${bin}/rabbitmq-server`,
  "apt-get install rabbitmq-server"
)

/**
 * A node, and the command that manages it: `control("add_user", "name", "password")`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RabbitMq extends Server.Server {
  readonly control: (...args: ReadonlyArray<string>) => Effect.Effect<string, Program.Ended>
}

/**
 * Starts a node: about 6 s. `settings` are lines of rabbitmq.conf, such as `consumer_timeout = 2000`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const server = (
  settings: ReadonlyArray<string> = []
): Effect.Effect<RabbitMq, Server.NotStarted, Scope.Scope> =>
  Effect.gen(function*() {
    const dist = yield* Port.free
    const mapper = yield* Port.free
    const env = ({ folder, port }: Server.Place) => ({
      HOME: folder,
      ERL_EPMD_ADDRESS: "127.0.0.1",
      ERL_EPMD_PORT: String(mapper),
      RABBITMQ_NODENAME: `lab${port}@localhost`,
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
      RABBITMQ_DIST_PORT: String(dist),
      RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
      RABBITMQ_LOG_BASE: join(folder, "log"),
      RABBITMQ_PID_FILE: join(folder, "pid"),
      RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins")
    })
    const control = (at: Server.Place, args: ReadonlyArray<string>) =>
      Program.run({ command: `${bin}/rabbitmqctl`, args, cwd: at.folder, env: env(at) })
    const made = yield* Server.make({
      name: "rabbitmq",
      prepare: ({ folder }) =>
        Effect.sync(() => {
          mkdirSync(join(folder, "log"), { recursive: true })
          writeFileSync(join(folder, "enabled_plugins"), "[].")
          writeFileSync(join(folder, "rabbitmq.conf"), `${settings.join("\n")}\n`)
        }),
      command: (at) => ({ command: `${bin}/rabbitmq-server`, args: [], cwd: at.folder, env: env(at) }),
      release: (at) => Program.run({ command: "epmd", args: ["-port", String(mapper), "-kill"], env: env(at) })
    })
    return { ...made, control: (...args) => control(made, args) }
  })

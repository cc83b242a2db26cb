/**
 * A PostgreSQL server of a test's own.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import * as Program from "./Program.ts"
import * as Server from "./Server.ts"
import type * as Services from "./Services.ts"

const versions = "/usr/lib/postgresql"
const bin = (): string =>
  existsSync(versions)
    ? join(versions, readdirSync(versions).toSorted().at(-1) ?? "none", "bin")
    : "/usr/local/bin"

const id = (flag: string): number => Number(spawnSync("id", [flag, "postgres"]).stdout.toString())

/**
 * What its tests need.
 *
 * @category services
 * @since 0.1.0
 */
export const needs: Services.Service = {
  name: "PostgreSQL's programs",
  command: "apt-get install postgresql",
  isThere: () => Promise.resolve(existsSync(join(bin(), "initdb")))
}

/**
 * Starts one with the user and the database `postgres`, trusted. `settings` are lines of postgresql.conf, such as
 * `max_connections=20`; `folder` one that is there already, such as a small file system, owned by `postgres`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const server = (
  settings: ReadonlyArray<string> = [],
  folder?: string
): Effect.Effect<Server.Server, Server.NotStarted, Scope.Scope> =>
  Effect.suspend(() => {
    // It refuses to run as root.
    const user = process.getuid?.() === 0 ? { uid: id("-u"), gid: id("-g") } : undefined
    const data = (at: Server.Place) => join(at.folder, "data")
    return Server.make({
      name: "postgres",
      user,
      folder,
      prepare: (at) =>
        Effect.asVoid(Program.run({
          command: join(bin(), "initdb"),
          args: ["-D", data(at), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"],
          cwd: at.folder,
          ...user
        })),
      command: (at) => ({
        command: join(bin(), "postgres"),
        args: [
          "-D",
          data(at),
          "-p",
          String(at.port),
          "-k",
          at.folder,
          ...["listen_addresses=127.0.0.1", ...settings].flatMap((one) => ["-c", one])
        ],
        cwd: at.folder
      }),
      ready: (at) =>
        Program.run({
          command: join(bin(), "pg_isready"),
          args: ["-h", "127.0.0.1", "-p", String(at.port), "-U", "postgres"]
        }),
      // Fast shutdown: sessions are ended, what they have not committed is rolled back.
      end: "SIGINT"
    })
  })

/**
 * A MariaDB server of a test's own.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import * as Program from "./Program.ts"
import * as Server from "./Server.ts"
import * as Services from "./Services.ts"

const id = (flag: string): number => Number(spawnSync("id", [flag, "mysql"]).stdout.toString())

/**
 * What its tests need.
 *
 * @category services
 * @since 0.1.0
 */
export const needs: Services.Service = Services.program("mariadbd", "apt-get install mariadb-server")

/**
 * Starts one with the user `root` without a password and the database `test`. `args` are more of its options.
 *
 * @category constructors
 * @since 0.1.0
 */
export const server = (
  args: ReadonlyArray<string> = []
): Effect.Effect<Server.Server, Server.NotStarted, Scope.Scope> =>
  Effect.suspend(() => {
    const user = process.getuid?.() === 0 ? { uid: id("-u"), gid: id("-g") } : undefined
    const data = (at: Server.Place) => `--datadir=${join(at.folder, "data")}`
    return Server.make({
      name: "mariadb",
      user,
      prepare: (at) =>
        Effect.asVoid(Program.run({
          command: "mariadb-install-db",
          args: ["--no-defaults", data(at), "--auth-root-authentication-method=normal"],
          cwd: at.folder,
          ...user
        })),
      command: (at) => ({
        command: "mariadbd",
        args: [
          "--no-defaults",
          data(at),
          `--port=${at.port}`,
          `--socket=${join(at.folder, "socket")}`,
          "--bind-address=127.0.0.1",
          ...args
        ],
        cwd: at.folder
      }),
      ready: (at) =>
        Program.run({
          command: "mariadb",
          args: [
            "--no-defaults",
            "--protocol=tcp",
            "-h127.0.0.1",
            `-P${at.port}`,
            "-uroot",
            "-e",
            "create database if not exists test"
          ]
        })
    })
  })

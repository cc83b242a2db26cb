/**
 * The unit, as systemd itself reads it.
 */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import type { Files, Runner } from "./files.ts"
import { unitFile } from "./service.ts"

export interface Verdict {
  readonly problems: ReadonlyArray<string>
  /** Why it was not asked. */
  readonly skipped: string | undefined
}

/** Where node is not installed for the system, systemd is shown the one that runs this. */
const withNode = (unit: string): string =>
  fs.existsSync("/usr/bin/node") ? unit : unit.replace("=/usr/bin/node ", `=${process.execPath} `)

/** `required`: the lack of systemd is a failure, as that of every service of a test is. */
export const verifyUnit = (files: Files, runner: Runner, directory: string, required: boolean): Verdict => {
  const name = path.basename(unitFile(runner))
  const copy = path.join(directory, name)
  fs.writeFileSync(copy, withNode(files.read(unitFile(runner))))
  const { error, status, stderr, stdout } = spawnSync("systemd-analyze", ["verify", copy], { encoding: "utf8" })
  if (error !== undefined) {
    const lack = `systemd-analyze is missing: ${name} was parsed, not verified. apt-get install systemd`
    return required ? { problems: [lack], skipped: undefined } : { problems: [], skipped: lack }
  }
  // It has remarks about other units of the machine, and an exit code of 0 for settings that it does not know.
  const remarks = `${stdout}${stderr}`.split("\n").filter((line) => line.includes(name))
  return {
    problems: status === 0 && remarks.length === 0 ? [] : [`systemd-analyze verify ${name}: ${stdout}${stderr}`],
    skipped: undefined
  }
}

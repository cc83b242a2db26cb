/**
 * The unit of systemd, compared with what the runner does.
 */
import { expect, type Files, type Runner } from "./files.ts"
import { parseUnit, seconds, setting } from "./unit.ts"

export const unitFile = (runner: Runner): string => `deploy/${runner.project}.service`

export const problemsOfUnit = (files: Files, runner: Runner): ReadonlyArray<string> => {
  const file = unitFile(runner)
  const unit = parseUnit(files.read(file))
  const service = (name: string) => setting(unit, "Service", name)
  const is = (name: string, value: string) =>
    expect(service(name) === value, `${file}: ${name} is ${service(name)}, not ${value}`)
  const codes = (name: string) => (service(name) ?? "").split(" ").map(Number)
  return [
    ...is("Type", "exec"),
    ...is("KillSignal", "SIGTERM"),
    // The host of workers drains them: a signal to each of them as well would be a second one.
    ...is("KillMode", "mixed"),
    ...is("Restart", "on-failure"),
    ...is("NoNewPrivileges", "yes"),
    ...expect(
      /^\/\S*\/node /.test(service("ExecStart") ?? "") &&
        service("ExecStart")?.endsWith(`/node ${runner.main} run ${runner.task}`) === true,
      `${file}: ExecStart is "${service("ExecStart")}", not node on ${runner.main} for ${runner.task}`
    ),
    ...expect(
      seconds(service("TimeoutStopSec")) > runner.stop,
      `${file}: kills after TimeoutStopSec=${
        service("TimeoutStopSec")
      }, within the ${runner.stop} s that a stop may take`
    ),
    ...expect(
      codes("RestartPreventExitStatus").includes(runner.exitCodes.usage),
      `${file}: starts again after an exit with ${runner.exitCodes.usage}, which a start does not mend`
    ),
    ...expect(
      codes("SuccessExitStatus").includes(runner.exitCodes.terminated),
      `${file}: an exit with ${runner.exitCodes.terminated}, the answer to SIGTERM, would count as a failure`
    ),
    ...expect(
      service("Environment")?.includes(`DATABASE_FILE=/var/lib/${service("StateDirectory")}/`) === true,
      `${file}: the database is not in the StateDirectory, and the rest is read-only`
    )
  ]
}

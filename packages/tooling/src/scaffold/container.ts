/**
 * The Dockerfile, compared with what the runner does.
 */
import { environmentOf, execForm, lastOf, parseDockerfile, type Stage } from "./dockerfile.ts"
import { expect, type Files, type Runner } from "./files.ts"
import { seconds } from "./unit.ts"

export interface Image {
  readonly command: ReadonlyArray<string>
  readonly health: ReadonlyArray<string>
  readonly port: string
  readonly volume: string
  readonly environment: ReadonlyMap<string, string>
}

const none: Stage = { image: "", name: undefined, instructions: [] }

const healthOf = (stage: Stage) => {
  const [, options = "", command = ""] = /^(.*?)CMD\s+(.*)$/.exec(lastOf(stage, "HEALTHCHECK") ?? "") ?? []
  return { options, command: execForm(command) ?? [] }
}

/** What the image runs, with which variables. */
export const imageOf = (files: Files): Image => {
  const stage = parseDockerfile(files.read("Dockerfile")).at(-1) ?? none
  return {
    command: [...execForm(lastOf(stage, "ENTRYPOINT")) ?? [], ...execForm(lastOf(stage, "CMD")) ?? []],
    health: healthOf(stage).command,
    port: lastOf(stage, "EXPOSE") ?? "",
    volume: lastOf(stage, "VOLUME") ?? "",
    environment: environmentOf(stage)
  }
}

/** What the context has to hold: the sources of COPY, but for those from another stage. */
const copied = (stages: ReadonlyArray<Stage>): ReadonlyArray<string> =>
  stages.flatMap(({ instructions }) =>
    instructions.filter(({ name, text }) => name === "COPY" && !text.startsWith("--from")).flatMap(({ text }) =>
      text.split(/\s+/).slice(0, -1)
    )
  )

const majorOf = (image: string): number => Number(/^node:(\d+)/.exec(image)?.[1])

export const problemsOfContainer = (files: Files, runner: Runner): ReadonlyArray<string> => {
  const stages = parseDockerfile(files.read("Dockerfile"))
  const last = stages.at(-1) ?? none
  const image = imageOf(files)
  const { options } = healthOf(last)
  const user = lastOf(last, "USER")
  const ignore = files.read(".dockerignore").split("\n")
  const period = /--start-period=(\S+)/.exec(options)?.[1]
  const live = `http://127.0.0.1:${image.port}${runner.routes.live}`
  return [
    ...expect(stages.length > 1, "Dockerfile: one stage: what only the build needs would be in the image"),
    ...stages.flatMap(({ image }) =>
      expect(majorOf(image) >= runner.leastNode, `Dockerfile: ${image} is older than Node ${runner.leastNode}`)
    ),
    ...expect(user !== undefined && user !== "root" && user !== "0", `Dockerfile: runs as ${user ?? "root"}`),
    ...expect(execForm(lastOf(last, "ENTRYPOINT")) !== undefined, "Dockerfile: ENTRYPOINT is not in exec form"),
    ...expect(execForm(lastOf(last, "CMD")) !== undefined, "Dockerfile: CMD is not in exec form"),
    ...expect(
      image.command.join(" ") === `node ${runner.main} run ${runner.task}`,
      `Dockerfile: runs "${image.command.join(" ")}", which is not node on ${runner.main} for ${runner.task}`
    ),
    ...expect(lastOf(last, "STOPSIGNAL") === "SIGTERM", "Dockerfile: STOPSIGNAL is not SIGTERM"),
    ...expect(image.health.join(" ").includes(`'${live}'`), `Dockerfile: HEALTHCHECK does not ask ${live}`),
    ...expect(
      seconds(period) >= runner.startGrace,
      `Dockerfile: start-period of ${period} is under supervision.startGrace, ${runner.startGrace} s`
    ),
    ...expect(
      image.environment.get("ERGON_HTTP_PORT") === image.port,
      `Dockerfile: EXPOSE ${image.port}, but ERGON_HTTP_PORT is ${image.environment.get("ERGON_HTTP_PORT")}`
    ),
    ...expect(
      image.environment.get("ERGON_HTTP_HOST") === "0.0.0.0",
      "Dockerfile: nobody outside of the container reaches the endpoint: ERGON_HTTP_HOST is not 0.0.0.0"
    ),
    ...copied(stages).filter((file) => file !== "package-lock.json").flatMap((file) =>
      expect(files.has(file), `Dockerfile: copies ${file}, which is not there`)
    ),
    ...copied(stages).flatMap((file) =>
      expect(ignore.includes(`!${file}`), `.dockerignore: leaves ${file} out, which the Dockerfile copies`)
    )
  ]
}

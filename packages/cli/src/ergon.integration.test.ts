import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { begin, cleanUp, type End, ergon, project, shell } from "./test/shell.ts"

const folders: Array<string> = []
const folder = (): string => {
  const made = realpathSync(mkdtempSync(join(tmpdir(), "ergon-cli-")))
  folders.push(made)
  return made
}

afterEach(() => {
  cleanUp()
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true })
})

const json = ({ stdout }: End): unknown => JSON.parse(stdout)

/** Refused: nothing on stdout, exit code 2, and a message that names what is valid. */
const refused = (end: End, ...parts: ReadonlyArray<string | RegExp>): void => {
  expect(end).toMatchObject({ code: 2, stdout: "" })
  expect(end.stderr).toMatch(/^ergon: /)
  for (const part of parts) expect(end.stderr).toMatch(part)
}

const order = "{\"id\":\"a\",\"quantity\":2}"

describe("the project", () => {
  it("is found upwards, and its main file runs by itself as well", async () => {
    const main = join(project, "src", "main.ts")
    const [below, alone, other] = await Promise.all([
      ergon("list", { cwd: join(project, "src") }),
      ergon("list", { file: main, cwd: tmpdir() }),
      ergon("run numbers --json --quiet", { file: main, cwd: tmpdir() })
    ])
    expect(below).toMatchObject({ code: 0, stderr: "" })
    expect(below.stdout).toMatch(/^orders +consumer +orders +totals +dead-orders$/m)
    expect(alone).toEqual(below)
    expect(json(other)).toMatchObject([{ task: "numbers", succeeded: 2 }])
  })

  it("that is none, or wrong, is told with what to write", async () => {
    const [empty, missing, silent, broken] = [folder(), folder(), folder(), folder()]
    writeFileSync(join(missing, "package.json"), "{\"ergon\":{\"main\":\"src/main.js\"}}")
    for (const at of [silent, broken])
      writeFileSync(join(at, "package.json"), "{\"type\":\"module\",\"ergon\":{\"main\":\"main.js\"}}")
    writeFileSync(join(silent, "main.js"), "export {}")
    writeFileSync(join(broken, "main.js"), "import \"./nothing.js\"")
    const ends = await Promise.all([empty, missing, silent, broken].map((cwd) => ergon("list", { cwd })))
    refused(ends[0]!, /there is no package\.json/, /"ergon": \{ "main": "src\/main\.ts" \}/)
    refused(ends[1]!, /names "src\/main\.js" as the main file/, /Ergon\.main\(\[\]\)/)
    refused(ends[2]!, /main\.js does not call Ergon\.main/)
    expect(ends[3]).toMatchObject({ code: 1, stdout: "" })
    expect(ends[3]!.stderr).toMatch(/^ergon: main\.js cannot be loaded: .*nothing\.js/)
  })

  it("is not needed for help, the version, completions, and what there is to say about a wrong line", async () => {
    const cwd = folder()
    const [help, version, bash, zsh, fish, wrong, init] = await Promise.all([
      ergon("--help", { cwd }),
      ergon("--version", { cwd }),
      ergon("--completions bash", { cwd }),
      ergon("--completions=zsh", { cwd }),
      ergon("--completions fish", { cwd }),
      ergon("lisst", { cwd }),
      ergon("init --help", { cwd })
    ])
    expect(version).toMatchObject({ code: 0, stdout: "ergon 0.1.0\n", stderr: "" })
    for (const end of [help, bash, zsh, fish, init]) expect(end).toMatchObject({ code: 0, stderr: "" })
    for (const script of [bash, zsh, fish]) {
      expect(script.stdout).toContain("process-transaction")
      expect(script.stdout).toContain("process-retry-max-attempts")
    }
    refused(wrong, /there is no command "lisst"\. Did you mean "list"\?/)
  })

  it("may have no task yet, or the same one twice", async () => {
    // Beside the test project, so that the packages are found.
    const made = (name: string, tasks: string): string => {
      const at = join(project, "..", `.generated-${name}`)
      folders.push(at)
      mkdirSync(at, { recursive: true })
      writeFileSync(join(at, "package.json"), "{\"type\":\"module\",\"ergon\":{\"main\":\"main.js\"}}")
      writeFileSync(
        join(at, "main.js"),
        `import { Ergon } from "@ergon/cli"\nimport { Task } from "@ergon/core"\nimport { Effect } from "effect"\n` +
          `const hello = Task.make("hello", Effect.void)\nErgon.main([${tasks}], { version: "7.1.0" })`
      )
      return at
    }
    const [none, one, two] = [made("none", ""), made("one", "hello"), made("two", "hello, hello")]
    const [listed, asJson, run, alone, version, twice] = await Promise.all([
      ergon("list", { cwd: none }),
      ergon("list --json", { cwd: none }),
      ergon("run", { cwd: none }),
      ergon("run --json", { cwd: one }),
      ergon("--version", { cwd: one, file: join(one, "main.js") }),
      ergon("list", { cwd: two })
    ])
    expect(listed).toMatchObject({ code: 0, stderr: "" })
    expect(listed.stdout).toContain("Ergon.main([hello])")
    expect(json(asJson)).toEqual([])
    refused(run, /no task yet/)
    expect(json(alone)).toMatchObject([{ task: "hello", kind: "program", end: "succeeded" }])
    expect(version.stdout).toBe("ergon 7.1.0\n")
    refused(twice, /more than one task "hello"/)
  })
})

describe("help", () => {
  it("teaches: examples, exit codes, every flag of the policy", async () => {
    const [root, run, policy, retries, none] = await Promise.all([
      ergon(""),
      ergon("run --help"),
      ergon("policy --json"),
      ergon("policy process retry"),
      ergon("policy retyr")
    ])
    expect(root.code).toBe(0)
    for (const command of ["list", "run", "count", "process-transaction", "process-transaction-by-id", "policy"]) {
      expect(root.stdout).toMatch(new RegExp(`^  ${command} +\\S`, "m"))
    }
    expect(root.stdout).toMatch(/EXIT CODES\n {2}0 [\s\S]+130/)
    expect(run.stdout).toMatch(/EXAMPLES[\s\S]+ergon run orders --once --limit 100/)
    const fields = json(policy) as ReadonlyArray<{ readonly flag: string }>
    expect(fields).toHaveLength(60)
    for (const { flag } of fields) expect(run.stdout).toMatch(new RegExp(` ${flag}( |$)`, "m"))
    expect(run.stdout.split("\n").every((line) => line.length <= 120)).toBe(true)
    expect(retries.stdout).toContain("--process-retry-max-attempts")
    expect(retries.stdout).toContain("ERGON_<TASK>_PROCESS_RETRY_MAX_ATTEMPTS")
    expect(retries.stdout).not.toContain("--dispatch-retry")
    refused(none, /Did you mean "retry"/)
  })
})

describe("a line that cannot be read", () => {
  it("is refused with the nearest valid name", async () => {
    const [command, flag, policy, task, several, argument, workers, extra] = await Promise.all([
      ergon("rnu orders"),
      ergon("run orders --limt 3"),
      ergon("run orders --proces-timeout 3 --quite"),
      ergon("run ordres"),
      ergon("run"),
      ergon("process-transaction"),
      ergon("run orders --worker-kind tread --workers two"),
      ergon("list orders")
    ])
    expect(command.signal).toBeNull()
    refused(command, /there is no command "rnu"\. Did you mean "run"\?/)
    refused(flag, /there is no flag --limt\. Did you mean "--limit"\?/)
    refused(policy, /Did you mean "--process-timeout"\?/, /Did you mean "--quiet"\?/)
    refused(task, /there is no task "ordres"\. Did you mean "orders"\?/)
    refused(several, /which task\? Name some, or give --all/, / {2}orders\n {2}numbers\n {2}settings/)
    refused(argument, /the argument <name> is missing/)
    refused(
      workers,
      /--workers must be a whole number/,
      /--worker-kind must be process or thread.*Did you mean "thread"/
    )
    refused(extra, /orders/)
  })

  it("is refused with everything that is wrong with it, flags and variables of all tasks", async () => {
    const end = await ergon("run orders numbers --process-retry-max-attempts x --limit -1 --http-port y", {
      env: { ERGON_ORDERS_LOPP_LIMIT: "3", ERGON_NUMBERS_LOOP_CONCURRENCY: "none", ERGON_WORKERS: "0" }
    })
    expect(end.stderr.match(/^- /gm)).toHaveLength(6)
    refused(
      end,
      /^ergon: 6 problems:\n/,
      /^- --process-retry-max-attempts: "x" is not valid/m,
      /^- --limit: "-1" is not valid/m,
      /^- --http-port must be a whole number/m,
      /^- ERGON_ORDERS_LOPP_LIMIT: no such field, set to "3"; did you mean ERGON_ORDERS_LOOP_LIMIT\?/m,
      /^- ERGON_NUMBERS_LOOP_CONCURRENCY: /m,
      /^- ERGON_WORKERS must be a whole number/m
    )
  })
})

describe("run", () => {
  it("takes what flags say before what variables say before what the code says", async () => {
    const env = { ORDER_COUNT: "9", ERGON_ORDERS_LOOP_LIMIT: "5" }
    const [code, variable, flag, both, short] = await Promise.all([
      ergon("run orders --json", { env: { ORDER_COUNT: "9" } }),
      ergon("run orders --json", { env }),
      ergon("run orders --json --limit 2", { env }),
      ergon("run orders --limit 2 --loop-limit 3", { env }),
      ergon("run orders --json --once --loop-limit 1 --concurrency 4", {
        env: { ...env, ERGON_ORDERS_LOOP_STREAMING: "yes" }
      })
    ])
    expect([code, variable, flag, short].map(json)).toMatchObject([9, 5, 2, 1].map((succeeded) => [{ succeeded }]))
    refused(both, /--limit and --loop-limit are the same field/)
  })

  it("runs several tasks in one process, and tells on stderr what each did", async () => {
    const [all, quiet] = await Promise.all([ergon("run --all"), ergon("run orders numbers --quiet")])
    expect(all).toMatchObject({ code: 0, stdout: "" })
    expect(all.stderr).toMatch(/orders: 3 fetched, 3 succeeded/)
    expect(all.stderr).toMatch(/numbers: 2 fetched, 2 succeeded/)
    expect(all.stderr).toMatch(/url=none/)
    expect(quiet).toMatchObject({ code: 0, stdout: "", stderr: "" })
  })

  it("prints one JSON value for machines, whatever is logged", async () => {
    const end = await ergon("run orders numbers --json", { env: { STOCK: "2", TELLS: "yes" } })
    expect(end.code).toBe(0)
    expect(end.stderr).toContain("order-0 begins")
    const byName = Object.fromEntries(
      (json(end) as ReadonlyArray<{ readonly task: string }>).map((run) => [run.task, run])
    )
    expect(byName).toMatchObject({
      orders: { end: "succeeded", succeeded: 1, failed: 2, deadLettered: 2, reasons: { OutOfStock: 2 } },
      numbers: { end: "succeeded", succeeded: 2 }
    })
  })

  it("that cannot begin for a variable of a Layer names it, and exits with 2", async () => {
    const end = await ergon("run orders", { env: { ORDER_COUNT: "many" } })
    refused(end, /the variable ORDER_COUNT is not valid/)
    expect(end.stderr).not.toContain("    at ")
  })

  it("serves its endpoint where it is told to", async () => {
    const run = begin(["run", "orders", "--http-port", "0"], { env: { WORK: "1 minute", TELLS: "yes" } })
    await run.until(/order-1 begins/)
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(run.text()) ?? []
    const [ready, status] = await Promise.all([fetch(`${address}/ready`), fetch(`${address}/status`)])
    expect([ready.status, status.status]).toEqual([200, 200])
    expect(await status.text()).toContain("\"orders\"")
    for (const _ of [1, 2]) {
      run.process.kill("SIGTERM")
      await run.until(/draining/)
    }
    expect((await run.ended).code).toBe(143)
  })
})

describe("variables", () => {
  it("come from .env files; the real environment wins, later files win, and secrets stay secret", async () => {
    const at = folder()
    writeFileSync(join(at, "a.env"), "DATABASE_URL=a\nPIPELINE_MAX_SHARDS=4\nAPI_TOKEN=hunter2\n")
    writeFileSync(join(at, "b.env"), "DATABASE_URL=b\nERGON_ORDERS_LOOP_LIMIT=1\n")
    const [a, b, real, named, policy] = await Promise.all([
      ergon(`run settings --env-file ${join(at, "a.env")}`),
      ergon(`run settings --env-file ${join(at, "a.env")} --env-file ${join(at, "b.env")}`),
      ergon(`run settings --env-file ${join(at, "a.env")}`, { env: { DATABASE_URL: "real" } }),
      ergon("run settings", { env: { ENV_FILE: join(at, "a.env") } }),
      ergon(`run orders --json --env-file ${join(at, "b.env")}`)
    ])
    expect(a.stderr).toMatch(/url=a shards=4/)
    expect(b.stderr).toMatch(/url=b shards=4/)
    expect(real.stderr).toMatch(/url=real shards=4/)
    expect(named.stderr).toMatch(/url=a shards=4/)
    expect(json(policy)).toMatchObject([{ succeeded: 1 }])
    // Libraries that read the environment themselves see them, too; a Redacted shows itself nowhere.
    expect(a.stderr).toContain("<redacted>")
    expect(a.stderr).toContain("real=hunter2")
  })

  it("that a file should hold, which is missing: a notice for ENV_FILE, an error for --env-file", async () => {
    const at = folder()
    const [notice, error] = await Promise.all([
      ergon("list --json", { env: { ENV_FILE: join(at, "none.env") } }),
      ergon(`list --env-file ${join(at, "x.env")} --env-file ${join(at, "y.env")}`)
    ])
    expect(notice.code).toBe(0)
    expect(json(notice)).toHaveLength(3)
    expect(notice.stderr).toMatch(/^ergon: ENV_FILE is ".*none\.env": there is no such file/)
    refused(error, /x\.env: there is no such file/, /y\.env: there is no such file/)
  })
})

describe("one transaction", () => {
  it("comes from a flag, from a pipe or from -, and its outcome is the exit code", async () => {
    const failing = "{\"id\":\"b\",\"quantity\":2000}"
    const line = ["process-transaction", "orders", "--json", "--id", "x"]
    const [flag, pipe, dash, words, failed, failedWords] = await Promise.all([
      ergon([...line, "--payload-json", order, "--metadata", "origin=support"]),
      ergon(line, { stdin: order }),
      ergon([...line, "--payload-json", "-"], { stdin: order }),
      ergon(["process-transaction", "orders", "--payload-json", order]),
      ergon(line, { stdin: failing }),
      ergon(["process-transaction", "orders", "--id", "x"], { stdin: failing })
    ])
    for (const end of [flag, pipe, dash]) {
      expect(end).toMatchObject({ code: 0, stderr: "" })
      expect(json(end)).toMatchObject({ id: "x", outcome: "succeeded", result: 4, failure: null })
    }
    expect(words.stdout).toMatch(/^[0-9a-f-]{36}: succeeded\n$/)
    expect(failed.code).toBe(1)
    expect(json(failed)).toMatchObject({
      outcome: "failed",
      failure: { step: "process", error: { tag: "OutOfStock" } }
    })
    expect(failedWords).toMatchObject({ code: 1, stderr: "" })
    expect(failedWords.stdout).toMatch(/^x: failed at process \(business\): OutOfStock: b is out of stock/)
  })

  it("that is no JSON or does not fit is refused with every problem, and no step runs", async () => {
    const env = { TELLS: "yes" }
    const [noJson, misfit, empty, id, producer, program] = await Promise.all([
      ergon(["process-transaction", "orders", "--payload-json", "{\"id\":"], { env }),
      ergon(["process-transaction", "orders", "--payload-json", "{\"quantity\":2.5}"], { env }),
      ergon(["process-transaction", "orders"], { env }),
      ergon(["process-transaction", "orders", "--payload-json", order, "--id", ""], { env }),
      ergon(["process-transaction", "numbers", "--payload-json", "1"], { env }),
      ergon(["process-transaction", "settings", "--payload-json", "1"], { env })
    ])
    refused(noJson, /the payload is not JSON: /)
    refused(misfit, /at \["id"\]/, /at \["quantity"\]/)
    refused(empty, /the payload is empty/)
    refused(id, /--id must not be empty/)
    refused(producer, /"numbers" is a producer/)
    refused(program, /"settings" is a program/)
    for (const end of [noJson, misfit, empty, id]) expect(end.stderr).not.toContain("begins")
  })

  it("of the source is claimed by its id", async () => {
    const [found, asJson, unknown, unable] = await Promise.all([
      ergon("process-transaction-by-id orders order-1"),
      ergon("process-transaction-by-id orders order-2 --json"),
      ergon("process-transaction-by-id orders order-9"),
      ergon("process-transaction-by-id numbers number-1")
    ])
    expect(found).toMatchObject({ code: 0, stdout: "order-1: succeeded\n", stderr: "" })
    expect(json(asJson)).toMatchObject({ id: "order-2", outcome: "succeeded", result: 6 })
    expect(unknown).toMatchObject({ code: 1, stdout: "" })
    expect(unknown.stderr).toContain("has no transaction \"order-9\"")
    refused(unable, /cannot look up/)
  })
})

describe("count", () => {
  it("says what sources hold, and which cannot tell", async () => {
    const env = { ORDER_COUNT: "7" }
    const [all, asJson, named] = await Promise.all([
      ergon("count", { env }),
      ergon("count orders --json", { env }),
      ergon("count numbers", { env })
    ])
    expect(all).toMatchObject({ code: 0, stderr: "" })
    expect(all.stdout).toMatch(/^orders +7 +0 +0$/m)
    expect(all.stdout).toMatch(/^settings .*is a program/m)
    expect(json(asJson)).toEqual([{ task: "orders", ready: 7, inFlight: 0, delayed: 0, reason: null }])
    expect(named.code).toBe(1)
    expect(named.stderr).toBe("ergon: could not count for numbers\n")
  })
})

describe("a pipe", () => {
  it("that is closed early breaks nothing", async () => {
    const [first, field] = await Promise.all([
      shell("$ERGON policy --json | head -c 1"),
      shell("$ERGON list --json | head -n 1; echo done")
    ])
    expect(first.stdout).toBe("[")
    expect(first.stderr).toBe("")
    expect(field.stdout).toBe("[\ndone\n")
  })
})

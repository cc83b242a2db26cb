/**
 * The thread that watches the event loop of the main thread, which cannot see itself when it is blocked. It sleeps in
 * shared memory, has no event loop of its own to speak of, and ends with the process.
 */
import { write } from "node:fs"
import { workerData } from "node:worker_threads"
import { Beats, State } from "../internal/supervision/beats.ts"
import { Watch } from "../internal/supervision/watch.ts"

const beats = new Beats(workerData as SharedArrayBuffer)
const watch = new Watch(beats, performance.now())

const kill = (): void => {
  const seconds = (field: "within" | "silent") => `${Math.round(beats.get(field) / 100) / 10} s`
  const why = beats.get("asked") === 1
    ? `its event loop was silent for ${seconds("silent")}`
    : "it was unhealthy"
  const line = `ergon: process ${process.pid} is killed: ${why}, and it did not end within ${seconds("within")}\n`
  // Not writeSync: nobody may read what this process says, and then it would never end.
  write(2, line, () => {})
  beats.sleep(beats.get("state"), 100)
  process.kill(process.pid, "SIGKILL")
}

for (;;) {
  const state = beats.get("state")
  if (state === State.over) break
  beats.sleep(state, beats.get("tick"))
  if (watch.look(performance.now()) === "kill") kill()
}

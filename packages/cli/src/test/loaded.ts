/** Preloaded into a command: at its end it says how many modules of OpenTelemetry and of our telemetry were loaded. */
import { registerHooks } from "node:module"

let loaded = 0
registerHooks({
  load: (url, context, next) => {
    if (/\/@opentelemetry\/|\/packages\/telemetry\//.test(url)) loaded++
    return next(url, context)
  }
})
process.once("exit", () => process.stderr.write(`loaded ${loaded}\n`))

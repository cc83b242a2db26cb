import type { Trial } from "../SimulationReport.ts"
export const storyOf = (task: string, trial: Trial): string =>
  task + JSON.stringify(trial.violation) + "\n" + trial.script.map((f) => JSON.stringify(f)).join("\n") + "\n" +
  trial.events.map((e) => `${e.at} p${e.process} [${e.transaction}] ${e.text}`).join("\n")
export const mermaidOf = (trial: Trial): string => String(trial.seed)

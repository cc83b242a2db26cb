import type { Trial } from "../SimulationReport.ts"
export const exportedTest = (
  trial: Trial,
  names: { readonly task: string; readonly world: string; readonly from: string }
): string => names.task + trial.seed

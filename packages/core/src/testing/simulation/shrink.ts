import type { Trial } from "../SimulationReport.ts"
import type { Spec } from "./running.ts"
export const shrink = async (_spec: Spec, trial: Trial): Promise<Trial> => trial

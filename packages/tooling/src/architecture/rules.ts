/**
 * The rules of the architecture. To add one: write it in `rules/`, list it here, and break it in `fixtures/<name>`.
 */
import type { Rule } from "./rule.ts"
import { bannedFileNames } from "./rules/bannedFileNames.ts"
import { barrelIndex } from "./rules/barrelIndex.ts"
import { coreOnEffectAlone } from "./rules/coreOnEffectAlone.ts"
import { declaredDependencies } from "./rules/declaredDependencies.ts"
import { dependencyDirection } from "./rules/dependencyDirection.ts"
import { moduleNames } from "./rules/moduleNames.ts"
import { noImportCycles } from "./rules/noImportCycles.ts"
import { noProcessExit } from "./rules/noProcessExit.ts"
import { noTopLevelState } from "./rules/noTopLevelState.ts"
import { noWorkAtImport } from "./rules/noWorkAtImport.ts"
import { oneDelayFormula } from "./rules/oneDelayFormula.ts"
import { oneIdeaPerFile } from "./rules/oneIdeaPerFile.ts"
import { unstableBehindOneFile } from "./rules/unstableBehindOneFile.ts"

export const rules: ReadonlyArray<Rule> = [
  dependencyDirection,
  coreOnEffectAlone,
  declaredDependencies,
  noImportCycles,
  bannedFileNames,
  moduleNames,
  barrelIndex,
  oneIdeaPerFile,
  oneDelayFormula,
  noProcessExit,
  noTopLevelState,
  noWorkAtImport,
  unstableBehindOneFile
]

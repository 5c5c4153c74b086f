import { conditionRun } from './condition/run.ts'
import type { NodeRun } from './run.ts'
import { setRun } from './set/run.ts'
import { switchRun } from './switch/run.ts'

/** The types of nodes that gateway threads can run. `definitions.ts` has all types, with their schemas. */
export const NODE_RUNS: readonly NodeRun[] = [conditionRun, switchRun, setRun]

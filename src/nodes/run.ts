import type { Plain } from '../base/plain.ts'

/** How one execution of a node ended. */
export interface NodeResult {
  /** The edge handle by which the run leaves the node: one of `handlesOf` in definitions.ts. */
  readonly handle: string
  /** The values that expressions of later nodes find under the id of the node. */
  readonly outputs: Plain
}

/** Executes a linked node once. `inputs` are the values of its inputs: their expressions are evaluated. */
type Execute = (inputs: Plain) => NodeResult

/**
 * How a type of node runs on a gateway thread. The module holds no schema: the definition beside it has parsed the settings
 * when the workflow was saved.
 */
export interface NodeRun {
  /** The name of the definition. */
  readonly name: string
  /** Prepares a node of a workflow from its settings, with all defaults filled in: once for each snapshot, never for each run. */
  link(config: Plain): Execute
}

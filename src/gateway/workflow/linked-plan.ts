import type { Ambient } from '../../base/expression/functions/evaluation.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { Execute, JoinRule } from '../../nodes/run.ts'
import type { PlanNode } from '../../snapshot/plan.ts'

/** A plan that is ready to run: nothing of it is read again in a run. */
export interface LinkedPlan {
  readonly nodes: readonly LinkedNode[]
  /** The body of the request must be at hand. */
  readonly needsBody: boolean
}

export interface LinkedNode {
  readonly node: PlanNode
  /** Of its entries in a trace. */
  readonly head: string
  readonly execute: Execute
  /** Null for a node that runs at the first edge that leads to it. */
  readonly join: JoinRule | null
  /** @throws ExpressionFailure */
  readonly inputs: (values: Plain, ambient: Ambient) => Plain
  /** Edges by the handle that leads along them. */
  readonly ways: readonly (readonly [handle: string, to: readonly number[]])[]
  /** Number of edges that lead to it. */
  readonly edges: number
  /** By which a run goes on with the fallback. */
  readonly onward: string
  /** The run ends with it: the request is forwarded. */
  readonly isTail: boolean
}

import type { WorkflowFragment } from '../plan.ts'
import type { NodeServers } from './collection.ts'

/** A workflow that several proxies may share. */
export interface LinkedWorkflow {
  readonly kind: 'workflow'
  readonly id: string
  readonly fragment: WorkflowFragment
  /** Null for a draft with faults. */
  readonly plan: WorkflowFragment['plan']
  readonly servers: NodeServers
}

import type { LinkedWorkflow } from '../linked/workflow.ts'
import type { WorkflowFragment } from '../plan.ts'
import { linkNodeServers } from './own-route.ts'

/**
 * Links a shared workflow. Throws a RangeError that names what is wrong.
 * @param before the one of that id so far
 */
export function linkWorkflow(
  fragment: WorkflowFragment,
  before: LinkedWorkflow | null = null,
): LinkedWorkflow {
  const { id, plan } = fragment
  return { kind: 'workflow', id, fragment, plan, servers: linkNodeServers(plan, id, before?.servers) }
}

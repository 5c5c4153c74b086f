import { toInputInvalid } from '../../base/field-errors.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import type { ProxySpec } from '../../model/proxy.ts'
import { WorkflowDefinition } from '../../model/workflow.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'

/**
 * Refuses a proxy whose own workflow has not the form of one, and one that is published with a workflow: callers would
 * get what the upstream answers.
 */
export function refuseWorkflow({ workflow, status }: ProxySpec): void {
  // Stored before there were workflows
  if (workflow === null || workflow === undefined) return
  if (typeof workflow !== 'string') ownDefinition(workflow)
  if (status === 'draft') return
  const errors: FieldError[] = [
    { pointer: '/workflow', reason: 'a proxy with a workflow cannot be published' },
  ]
  throw refuse('configuration_invalid', {
    detail:
      'This version stores and checks workflows, and does not run them: a proxy with one stays a draft. Set workflow to null, or leave it a draft.',
    errors,
  })
}

/** The definition that stands in a proxy. Refuses with input_invalid. */
function ownDefinition(workflow: unknown): WorkflowDefinition {
  const parsed = WorkflowDefinition.safeParse(workflow)
  if (parsed.success) return parsed.data
  const refusal = toInputInvalid(parsed.error)
  throw refuse('input_invalid', {
    detail: `/workflow${refusal.message}`,
    errors: (refusal.facts.errors ?? []).map(({ pointer, reason }) => ({
      pointer: `/workflow${pointer}`,
      reason,
    })),
  })
}

/** The workflow of a proxy: its own definition, or that of the workflow it refers to. */
export async function workflowOf(
  proxy: Resource,
  context: OperationContext,
): Promise<{ readonly shared: Resource | null; readonly definition: WorkflowDefinition | null }> {
  const { workflow } = proxy.spec as ProxySpec
  if (workflow === null || workflow === undefined) return { shared: null, definition: null }
  if (typeof workflow !== 'string') return { shared: null, definition: ownDefinition(workflow) }
  const shared = (await context.whole.byId('workflows', workflow))!
  await context.demand('workflows:read', shared)
  return { shared, definition: shared.spec['definition'] as WorkflowDefinition }
}

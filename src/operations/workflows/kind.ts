import { z } from 'zod'
import { toInputInvalid } from '../../base/json/fault.ts'
import { refuse } from '../../base/refusal.ts'
import type { ProxySpec } from '../../model/api/proxy.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { WorkflowDefinition, WorkflowSpec } from '../../model/workflow/workflow.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { calledBy } from '../engine/refs.ts'
import { standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { nodeDestinations, nodeRefs } from './destinations.ts'
import { findingsOf, refuseByHand, refuseFaults } from './findings.ts'
import { definitionIn, publishedOver, refuseNesting } from './inner.ts'
import { refuseFailedGates } from './saved-tests.ts'

const WARNINGS_MAX = 50

export const workflowKind: Kind<'workflows'> = {
  type: 'workflows',
  noun: NOUNS.workflows,
  prefix: 'wfl',
  group: 'manage_workflows',
  about: 'A workflow answers the calls of a proxy with several steps instead of one upstream.',
  tools: 'Workflows: graphs of nodes that answer calls of a proxy. Tests them.',
  example: { name: 'Checked order' },
  spec: WorkflowSpec,
  view: viewSchema(WorkflowSpec, {
    used_by: z
      .array(z.string())
      .optional()
      .describe(
        'Proxies, such as orders:get-order, and workflows, such as workflows/checks. Shown by get and list',
      ),
  }),
  columns: ['slug', 'name', 'used_by', 'revision', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    definition: ['definition'],
  },
  refs: nodeRefs('definition'),
  staged: false,
  filters: {},
  current: async (workflows, { reader }) => {
    const users = await Promise.all(workflows.map(({ id }) => reader.usersOf(id)))
    const slugs = await reader.slugs(users.flat().flatMap(({ parent }) => parent ?? []))
    const nameOf = ({ parent, slug }: Resource): string =>
      parent === null ? `workflows/${slug}` : `${slugs.get(parent)}:${slug}`
    return new Map(workflows.map(({ id }, index) => [id, { used_by: users[index]!.map(nameOf) }]))
  },
  ...nodeDestinations('definition'),
  check: checkShared,
  warn: async ({ spec }, context) => {
    const findings = await findingsOf(spec['definition'] as WorkflowDefinition, context)
    return findings
      .slice(0, WARNINGS_MAX)
      .map(({ pointer, message }) => ({ pointer: `/definition${pointer}`, reason: message }))
  },
}

export const workflowOperations = standardOf(workflowKind, refuseUsed)

/**
 * Refuses with input_invalid a proxy whose own workflow has not the form of one, and with configuration_invalid a published one whose
 * workflow has faults.
 */
export async function checkWorkflow(spec: ProxySpec, context: OperationContext): Promise<void> {
  const { workflow, status, kind } = spec
  // Stored before there were workflows
  if (workflow === null || workflow === undefined) return
  const definition =
    typeof workflow === 'string' ? await sharedDefinition(workflow, context) : ownDefinition(workflow)
  if (status === 'draft') return
  if (kind === 'websocket')
    throw refuse('configuration_invalid', {
      detail:
        'A proxy of kind websocket opens a tunnel to the upstream, so it cannot have a workflow. Set workflow to null.',
      errors: [{ pointer: '/workflow', reason: 'not for kind websocket' }],
    })
  refuseByHand(definition, '/workflow', 'Requests of callers start the workflow of a published proxy')
  if (typeof workflow !== 'string') await refuseNesting(definition, '/workflow', null, context)
  await refuseFaults(
    definition,
    '/workflow',
    'The workflow of a published proxy must be free of errors',
    context,
    typeof workflow === 'string' ? null : spec,
  )
  await refuseFailedGates(definition, '/workflow', context)
}

/** Refuses with configuration_invalid a workflow with faults that a published proxy runs. */
async function checkShared(spec: Fields, { id }: Self, context: OperationContext): Promise<void> {
  const definition = definitionIn(spec)
  await refuseNesting(definition, '/definition', id, context)
  // In a thread apart, before it is compiled
  await findingsOf(definition, context)
  const running = await publishedOver(id, context.whole)
  if (running === undefined) return
  const called = await calledBy(context.whole, running)
  refuseByHand(definition, '/definition', `The published proxy ${called} runs this workflow`)
  await refuseFaults(
    definition,
    '/definition',
    `The published proxy ${called} runs this workflow, so it must stay free of errors`,
    context,
  )
  await refuseFailedGates(definition, '/definition', context)
}

async function sharedDefinition(id: string, { whole }: OperationContext): Promise<WorkflowDefinition> {
  return (await whole.byId('workflows', id))!.spec['definition'] as WorkflowDefinition
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
  const { workflow } = proxy.spec
  if (workflow === null || workflow === undefined) return { shared: null, definition: null }
  if (typeof workflow !== 'string') return { shared: null, definition: ownDefinition(workflow) }
  const shared = (await context.whole.byId('workflows', workflow))!
  await context.demand('workflows:read', shared)
  return { shared, definition: shared.spec['definition'] as WorkflowDefinition }
}

import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { Ref } from '../../model/members.ts'
import { Finding, WorkflowDefinition } from '../../model/workflow/workflow.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { getRef, resolveRefs } from '../engine/refs.ts'
import { judgedBy, ownerOf } from './findings.ts'
import { workflowKind, workflowOf } from './kind.ts'

interface AskedDefinition {
  readonly definition?: WorkflowDefinition | undefined
  readonly workflow?: string | undefined
  readonly proxy?: string | undefined
}

export const validateWorkflow = define({
  resource: 'workflows',
  action: 'validate',
  effect: 'read',
  posted: true,
  tool: 'validate_workflow',
  group: workflowKind.group,
  summary: 'Validate a workflow: nodes, settings, edges, expressions, credentials; stores nothing',
  input: z.strictObject({
    definition: WorkflowDefinition.optional().describe('A definition that is not stored'),
    workflow: Ref.optional(),
    proxy: Ref.optional().describe('A proxy, such as orders:get-order'),
  }),
  output: z.object({
    valid: z.boolean().describe('True if no finding is an error'),
    nodes: z.int(),
    findings: z.array(Finding),
    handles: z
      .record(z.string(), z.array(z.string()))
      .describe('Handles of each node for its settings, by id. Nodes of unknown types are left out'),
  }),
  permission: 'workflows:read',
  refuses: ['not_found'],
  columns: ['valid', 'nodes', 'findings'],
  fails: ({ valid }) => !valid,
  subject: ({ workflow }) => ({ type: workflowKind.noun, id: null, slug: workflow ?? null }),
  handle: async (input, context) => {
    const definition = await definitionOf(input, context)
    const proxy = input.proxy === undefined ? null : await getRef(context.reader, 'proxies', input.proxy)
    const { findings, handles } = await judgedBy(
      definition,
      context,
      proxy && ownerOf(proxy),
      input.definition !== undefined,
    )
    return {
      valid: findings.every(({ severity }) => severity !== 'error'),
      nodes: definition.nodes.length,
      findings,
      handles,
    }
  },
})

/** The definition that is given, or stored. Refuses with input_invalid, not_found. */
export async function definitionOf(
  asked: AskedDefinition,
  context: OperationContext,
): Promise<WorkflowDefinition> {
  const { definition, workflow, proxy } = asked
  if ([definition, workflow, proxy].filter((one) => one !== undefined).length !== 1)
    throw refuse('input_invalid', {
      detail: 'Give one of definition, workflow and proxy.',
      errors: [{ pointer: '/definition', reason: 'one of definition, workflow and proxy' }],
    })
  if (definition !== undefined) return definition
  if (workflow !== undefined)
    return (await context.find('workflows', workflow)).spec['definition'] as WorkflowDefinition
  const found = await getRef(context.reader, 'proxies', proxy!)
  await context.demand('proxies:read', found)
  const own = (await workflowOf(found, context)).definition
  if (own === null) throw refuse('not_found', { detail: `The proxy "${found.slug}" has no workflow.` })
  return own
}

/**
 * The definition that is given, or stored. One that is given has ids for what it refers to, as it would be stored: it runs nothing that
 * its reader may not name. Refuses with input_invalid, not_found.
 */
export async function definitionToRun(
  asked: AskedDefinition,
  context: OperationContext,
): Promise<WorkflowDefinition> {
  const given = await definitionOf(asked, context)
  if (asked.definition === undefined) return given
  const spec = await resolveRefs(context.reader, workflowKind, { definition: given }, [])
  return spec['definition'] as WorkflowDefinition
}

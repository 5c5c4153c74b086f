import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { refersTo } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import { Finding, WorkflowDefinition } from '../../model/workflow/workflow.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, CHANGE_REFUSES, define } from '../engine/define.ts'
import { readable, slugsOf } from '../engine/views.ts'
import { patchResource } from '../engine/write-resource.ts'
import { proxyKind } from '../proxies/kind.ts'
import { findingsOf, ownerOf } from './findings.ts'
import { workflowKind, workflowOf } from './kind.ts'

const ProxyWorkflow = z.object({
  id: z.string(),
  slug: z.string(),
  collection: z.string().meta(refersTo('collections')),
  revision: z.int(),
  status: z.string(),
  workflow: z
    .string()
    .meta(refersTo('workflows'))
    .nullable()
    .describe('Slug of the shared workflow; null: inline or none'),
  workflow_revision: z.int().nullable(),
  definition: WorkflowDefinition.nullable().describe('null: requests are forwarded'),
  runs: z
    .boolean()
    .describe('True if the proxy and its collection are published, so that calls run the workflow'),
  credential: z.string().describe('Inputs of calls to the upstream'),
  findings: z.array(Finding),
})

const common = {
  resource: 'proxies',
  group: workflowKind.group,
  output: ProxyWorkflow,
  columns: ['slug', 'collection', 'status', 'workflow', 'revision'],
  ...about(proxyKind),
} as const

export const getProxyWorkflow = define({
  ...common,
  action: 'workflow',
  effect: 'read',
  tool: 'get_proxy_workflow',
  summary: 'Show the workflow of a proxy and its findings',
  input: z.strictObject({ id: Ref }),
  permission: 'proxies:read',
  refuses: ['not_found'],
  handle: async ({ id }, context) => viewOf(await context.find('proxies', id), context),
})

export const updateProxyWorkflow = define({
  ...common,
  action: 'set_workflow',
  effect: 'update',
  tool: 'update_proxy_workflow',
  summary: 'Set the workflow of a proxy: inline, shared or none',
  input: z.strictObject({
    id: Ref,
    definition: WorkflowDefinition.nullable()
      .optional()
      .describe(
        'Inline workflow. It may contain errors while the proxy is a draft. null: none, requests are forwarded',
      ),
    workflow: Ref.optional().describe('Shared workflow'),
  }),
  permission: 'proxies:update',
  refuses: CHANGE_REFUSES,
  handle: async ({ id, definition, workflow }, context) => {
    if ((definition === undefined) === (workflow === undefined))
      throw refuse('input_invalid', {
        detail: 'Give either definition or workflow.',
        errors: [{ pointer: '/definition', reason: 'either definition or workflow' }],
      })
    const proxy = await context.change.act('proxies', id)
    return viewOf(await setWorkflow(proxy, workflow ?? definition ?? null, context), context)
  },
})

/** Puts a workflow in the place of that of a proxy. */
export async function setWorkflow(
  proxy: Resource<'proxies'>,
  workflow: string | WorkflowDefinition | null,
  context: OperationContext,
): Promise<Resource<'proxies'>> {
  return patchResource(context, proxyKind, proxy, { workflow })
}

async function viewOf(proxy: Resource<'proxies'>, context: OperationContext) {
  const { shared, definition } = await workflowOf(proxy, context)
  const { status, credential } = proxy.spec
  const collection = (await context.whole.byId('collections', proxy.parent!))!
  const used = credential === 'inherit' ? collection.spec['credential'] : credential
  const slugs = await context.reader.slugs(typeof used === 'string' ? [used] : [])
  return {
    id: proxy.id,
    slug: proxy.slug,
    collection: collection.slug,
    revision: proxy.revision,
    status,
    workflow: shared?.slug ?? null,
    workflow_revision: shared?.revision ?? null,
    definition: definition && (await readableDefinition(proxy, shared, context)),
    runs: definition !== null && status === 'published' && collection.status === 'published',
    credential: typeof used === 'string' ? (slugs.get(used) ?? used) : 'none',
    findings: definition === null ? [] : await findingsOf(definition, context, ownerOf(proxy)),
  }
}

/** The definition with slugs for references. */
async function readableDefinition(
  proxy: Resource,
  shared: Resource | null,
  { reader }: OperationContext,
): Promise<WorkflowDefinition> {
  const [kind, resource, member] =
    shared === null
      ? ([proxyKind, proxy, 'workflow'] as const)
      : ([workflowKind, shared, 'definition'] as const)
  const spec = await readable(kind, resource.spec, await slugsOf(reader, kind, [resource]))
  return WorkflowDefinition.parse(spec[member])
}

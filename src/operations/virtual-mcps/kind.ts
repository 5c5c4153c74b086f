import { z } from 'zod'
import { DOORS } from '../../base/doors.ts'
import { CAPABILITY_REFS } from '../../model/mcp/capability-policy.ts'
import { VirtualMcpSpec } from '../../model/mcp/virtual-mcp.ts'
import { Ref, Status } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { publishOf, standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { Connect } from '../mcp-endpoints/list.ts'
import { APPLICATION_NAMES, type Application, snippetsFor } from '../mcp-endpoints/snippets.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'
import { keepVirtualMcp } from './state.ts'

export const virtualMcpKind: Kind<'virtual_mcps'> = {
  type: 'virtual_mcps',
  noun: NOUNS.virtual_mcps,
  prefix: 'vmc',
  group: 'manage_virtual_mcps',
  about: 'A virtual MCP is one MCP endpoint with selected tools of one or more origins.',
  tools:
    'Virtual MCPs: MCP endpoints /mcp/{slug} with tools, prompts and resources of origins. Shows what callers see. Approves changes.',
  example: { name: 'Support desk', members: [{ origin: 'tickets' }] },
  spec: VirtualMcpSpec,
  view: viewSchema(VirtualMcpSpec),
  columns: ['slug', 'name', 'status', 'members.origin', 'revision', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'status', 'icons'],
    members: ['members', 'prefix', 'mcp_view', 'instructions'],
    access: ['teams', 'all_users', 'registry'],
    limits: ['policy'],
  },
  refs: [
    { field: 'origin', type: 'origins', within: 'members' },
    { field: 'policy', type: 'policies' },
    { field: 'teams', type: 'teams', many: true },
    ...CAPABILITY_REFS.map((ref) => ({ ...ref, within: ['members', 'capability_policy', ...ref.within] })),
  ],
  staged: false,
  filters: { status: Status, policy: z.string().max(130).describe('Id or slug of the policy') },
  warn: warnOfInactivePolicy,
  stored: keepVirtualMcp,
}

/** Assignments of clients, and bindings of hosts, are deleted with a virtual MCP. */
async function detach(virtualMcp: Resource, context: OperationContext): Promise<void> {
  const { whole, change } = context
  // A grant that lost the last of its places would reach all of them
  await refuseUsed(virtualMcp, context, ['grants', 'guardrails'])
  // Beside grants and guardrails, only clients and bindings refer to a virtual MCP.
  for (const naming of await whole.usersOf(virtualMcp.id)) {
    if (naming.type === 'bindings') {
      await change.remove(naming)
      continue
    }
    const ids = (naming.spec['virtual_mcps'] as readonly string[]).filter((id) => id !== virtualMcp.id)
    await change.replace(naming, { spec: { ...naming.spec, virtual_mcps: ids } })
  }
}

export const virtualMcpOperations = {
  ...standardOf(virtualMcpKind, detach),
  publish: publishOf(virtualMcpKind),
}

/** Unlike the list of MCP endpoints, for whoever manages the virtual MCP: they need not be able to sign in to it. */
export const connectVirtualMcp = define({
  resource: 'virtual_mcps',
  action: 'connect',
  effect: 'read',
  tool: 'connect_virtual_mcp',
  group: virtualMcpKind.group,
  summary: 'Show the URL of a virtual MCP, and how to connect AI applications to it',
  input: z.strictObject({
    id: Ref,
    application: z.enum(APPLICATION_NAMES).optional().describe('Only the snippets of this application'),
    authentication: z
      .enum(['sign_in', 'token'])
      .default('sign_in')
      .describe(
        'sign_in: snippets for people; token: for agents, which read it from an environment variable',
      ),
  }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    status: z.string(),
    url: z.string(),
    connect: Connect,
  }),
  permission: 'virtual_mcps:read',
  refuses: ['not_found'],
  columns: ['slug', 'url', 'connect.application', 'connect.text'],
  ...about(virtualMcpKind),
  handle: async ({ id: ref, application, authentication }, context) => {
    const { id, slug, status } = await context.find('virtual_mcps', ref)
    const url = `${context.gatewayOrigin}${DOORS.belowConsumerMcp.path}/${slug}`
    const applications: readonly Application[] = application === undefined ? APPLICATION_NAMES : [application]
    const connect = snippetsFor({ name: slug, url }, applications, authentication === 'token')
    return { id, slug, status: String(status), url, connect: [...connect] }
  },
})

import { z } from 'zod'
import { DOORS } from '../../base/doors.ts'
import { Ref } from '../../model/members.ts'
import { about, define } from '../engine/define.ts'
import { Connect } from '../mcp-endpoints/list.ts'
import { APPLICATION_NAMES, type Application, snippetsFor } from '../mcp-endpoints/snippets.ts'
import { virtualMcpKind } from './kind.ts'

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

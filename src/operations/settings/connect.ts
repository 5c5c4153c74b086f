import { z } from 'zod'
import { DOORS } from '../../base/doors.ts'
import { define } from '../engine/define.ts'
import { Connect } from '../mcp-endpoints/list.ts'
import { APPLICATION_NAMES, snippetsFor } from '../mcp-endpoints/snippets.ts'

/** Name of the Management MCP in an AI application. */
const NAME = 'postern'

export const connectManagementMcp = define({
  resource: 'settings',
  action: 'connect',
  effect: 'read',
  tool: 'connect_management_mcp',
  group: 'manage_config',
  summary: 'Show the URL of Management MCP, and how to connect AI applications to it',
  input: z.strictObject({
    application: z.enum(APPLICATION_NAMES).optional().describe('Only the snippets of this application'),
    authentication: z
      .enum(['sign_in', 'token'])
      .default('sign_in')
      .describe('sign_in: snippets for people; token: with a personal token in an environment variable'),
  }),
  output: z.object({ url: z.string(), connect: Connect }),
  permission: 'settings:read',
  // Each caller may ask: the answer has only the address of the management interfaces, which the caller knows
  own: () => true,
  refuses: [],
  columns: ['url', 'connect.application', 'connect.text'],
  subject: () => ({ type: 'settings', id: null, slug: null }),
  handle: async ({ application, authentication }, { instance }) => {
    const url = instance.managementUrl + DOORS.managementMcp.path
    const applications = application === undefined ? APPLICATION_NAMES : [application]
    return { url, connect: [...snippetsFor({ name: NAME, url }, applications, authentication === 'token')] }
  },
})

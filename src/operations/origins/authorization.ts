/** What an administrator must know to register Postern by hand at the authorization server of an origin. */
import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { Ref } from '../../model/members.ts'
import { toConnected } from '../access/mcp-access.ts'
import { about, define } from '../engine/define.ts'
import { originKind } from './kind.ts'

export const getAuthorization = define({
  resource: 'origins',
  action: 'authorization',
  effect: 'read',
  tool: 'get_origin_authorization',
  group: originKind.group,
  summary:
    'Show the authorization server of an origin, and the redirect URI for a manual registration of Postern',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    issuer: z.string().describe('The authorization server that the origin names'),
    redirect_uri: z
      .string()
      .describe(
        'Redirect URI that Postern uses at this server. Register it there if you register Postern manually. Clients of development versions keep /connect/callback',
      ),
    registration: z
      .enum(['manual', 'cimd', 'dcr'])
      .nullable()
      .describe('How Postern is registered at the server; null if Postern cannot be a client there yet'),
    fault: z
      .string()
      .nullable()
      .describe('Reason why Postern cannot be a client there, and the solution; null if it can'),
    iss_parameter: z
      .boolean()
      .describe(
        'The server announces that its responses name it (RFC 9207); a response without the name is refused',
      ),
    endpoints: z
      .array(z.object({ use: z.string(), host: z.string() }))
      .describe('Endpoints on another host than the issuer. Make sure that they belong to it'),
  }),
  permission: 'origins:test',
  refuses: ['not_found', 'configuration_invalid'],
  columns: ['slug', 'issuer', 'registration', 'redirect_uri', 'fault'],
  tables: { endpoints: ['use', 'host'] },
  ...about(originKind),
  handle: async (input, context) => {
    const origin = await context.find('origins', input.id)
    const [connected] = toConnected([origin])
    if (connected === undefined || !SIGNED_IN.has(connected.mode))
      throw refuse('configuration_invalid', {
        detail: `The auth_mode of ${origin.name} needs no client at an authorization server. First set auth_mode to user_oauth or shared_oauth.`,
      })
    const { issuer, redirectUri, registration, fault, hasIssParameter, elsewhere } =
      await context.authorizations.find(connected)
    return {
      ...{ id: origin.id, slug: origin.slug, issuer, redirect_uri: redirectUri, registration },
      fault: fault && `${issuer} ${fault}.`,
      ...{ iss_parameter: hasIssParameter, endpoints: elsewhere.map((one) => ({ ...one })) },
    }
  },
})

/** Modes in which a person comes back to a redirect URI. */
const SIGNED_IN: ReadonlySet<string> = new Set(['user_oauth', 'shared_oauth'])

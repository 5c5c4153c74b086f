/** Probes a server that is not stored, for an administrator who has not saved the origin yet. */
import { z } from 'zod'
import { OriginSpec } from '../../model/mcp/origin.ts'
import { define } from '../engine/define.ts'
import { parseSpec, settle } from '../engine/write-resource.ts'
import { originKind } from './kind.ts'
import { probed } from './probe.ts'
import { ProbeView, probeShown, probeView } from './test-origin.ts'

/** Members of an origin that decide how its server is asked. */
const Definition = OriginSpec.pick({
  kind: true,
  url: true,
  entry: true,
  parameters: true,
  credential: true,
  timeouts: true,
  tls: true,
})

export const probeServer = define({
  resource: 'origins',
  action: 'probe',
  effect: 'read',
  posted: true,
  noted: 'READ',
  tool: 'probe_origin',
  group: originKind.group,
  summary:
    'Probe a server that is not stored: show its protocol, its capabilities and whether it requires a sign-in',
  input: z.strictObject({
    definition: Definition.describe(
      'The origin to probe, such as {"url":"https://mcp.example.com/mcp"}. A credential needs credentials:use',
    ),
  }),
  output: z.object({
    ...ProbeView,
    needs_sign_in: z.boolean().describe('True if the server returned 401'),
    recommended_auth_mode: OriginSpec.shape.auth_mode
      .unwrap()
      .nullable()
      .describe('Recommended auth_mode of the origin; null if the server did not respond'),
  }),
  permission: 'origins:create',
  refuses: ['not_found', 'configuration_invalid', 'not_ready'],
  ...probeShown,
  columns: ['ok', 'summary', 'needs_sign_in', 'recommended_auth_mode'],
  subject: () => ({ type: originKind.noun, id: null, slug: null }),
  fails: ({ ok, needs_sign_in }) => !ok && !needs_sign_in,
  handle: async ({ definition }, context) => {
    const whole = parseSpec(originKind.spec, { ...definition, name: 'Not stored' })
    // The same rules and permissions as for a create, before anything is sent
    const { fields: spec } = await settle(context, originKind, whole, '', null)
    const came = await probed({ id: '', slug: '', spec }, context)
    const needs_sign_in = came.needsSignIn === true
    const isReached = came.found !== null
    return {
      ...probeView(came, spec),
      needs_sign_in,
      recommended_auth_mode: isReached ? 'static' : needs_sign_in ? 'user_oauth' : null,
    } as const
  },
})

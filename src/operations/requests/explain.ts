import { isIP } from 'node:net'
import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { confidential, refersTo, unit } from '../../model/annotations.ts'
import { Explanation, type Hypothetical } from '../../model/explanation.ts'
import { HttpMethod, Ref } from '../../model/members.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { getRef } from '../engine/refs.ts'
import { HeaderLines, refuseCredentials } from './replay.ts'

export const explainRequest = define({
  resource: 'requests',
  action: 'explain',
  effect: 'read',
  tool: 'explain_request',
  group: 'query_logs',
  summary:
    'Explain how the gateway handles a request: the selected route with reasons, and each check with the setting that decides it',
  input: z.strictObject({
    method: HttpMethod.optional().describe('Method; required without request_id'),
    target: z
      .string()
      .min(1)
      .max(8192)
      .optional()
      .describe('Path and query, or a complete URL; required without request_id'),
    host: z.string().min(1).max(300).optional().describe('Host of the request. Default: the host of the URL'),
    client: Ref.optional().describe('Client that makes the request, treated as authenticated'),
    profile: Ref.optional(),
    ip: z
      .string()
      .refine((text) => isIP(text) !== 0, 'an IP address')
      .optional()
      .describe('Address of the caller'),
    headers: confidential('traffic', HeaderLines)
      .optional()
      .describe(
        'All header lines of the request. Without them, checks that depend on headers are not evaluated',
      ),
    body_bytes: z.coerce.number().int().meta(unit('bytes')).min(0).optional().describe('Length of the body'),
    request_id: z
      .string()
      .meta(refersTo('records'))
      .min(1)
      .max(64)
      .optional()
      .describe('Record to explain with the current configuration'),
  }),
  output: Explanation,
  permission: 'records:read',
  refuses: ['not_found', 'not_ready', 'records_unavailable'],
  columns: ['checks.name', 'checks.result', 'checks.code', 'checks.reason', 'checks.setting'],
  unscoped: true,
  subject: (input) => ({ type: 'request', id: input.request_id ?? null, slug: null }),
  handle: async (input, context) => {
    const recorded = input.request_id === undefined ? null : await ofRecord(input.request_id, context)
    const method = input.method ?? recorded?.method
    const url = input.target ?? recorded?.url
    if (method === undefined || url === undefined)
      throw refuse('input_invalid', {
        detail: 'Give method and target, or request_id.',
        errors: [
          { pointer: method === undefined ? '/method' : '/target', reason: 'required without request_id' },
        ],
      })
    refuseCredentials(input.headers ?? [])
    const client = input.client === undefined ? null : await getRef(context.reader, 'clients', input.client)
    const profile =
      input.profile === undefined
        ? null
        : await getRef(
            context.reader,
            'profiles',
            client === null || /[:_]/.test(input.profile) ? input.profile : `${client.slug}:${input.profile}`,
          )
    const asked: Hypothetical = {
      method,
      url,
      host: input.host ?? null,
      client: client?.id ?? recorded?.client ?? null,
      profile: profile?.id ?? recorded?.profile ?? null,
      ip: input.ip ?? recorded?.ip ?? null,
      headers: input.headers ?? null,
      bodyBytes: input.body_bytes ?? null,
    }
    try {
      return await context.explainer.explain(asked)
    } catch (error) {
      throw refuse('not_ready', {
        detail: `The request cannot be explained now: ${error instanceof Error ? error.message : 'unknown reason'}.`,
      })
    }
  },
})

async function ofRecord(
  id: string,
  context: OperationContext,
): Promise<{ method: string; url: string; client: string | null; profile: string | null; ip: string }> {
  const record = await context.records.get(id)
  if (record === undefined) throw refuse('not_found', { detail: `There is no request record "${id}".` })
  const { method, path, client, profile, ip } = record
  return { method, url: path, client, profile, ip }
}

import { z } from 'zod'
import { sessionNameOf } from '../../base/crypto/sealing.ts'
import { HttpMethod, Ref } from '../../model/members.ts'
import { CACHES, FAILURE_ORIGINS, OUTCOME_CLASSES } from '../../model/record.ts'
import { RECORD_SURFACES, type ResourceType } from '../../model/resource-types.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { toPeriod } from '../engine/lists.ts'
import { findRef } from '../engine/refs.ts'

export const shortText = z.string().min(1).max(200)

/** Members by which every question about records may be narrowed. */
export const selection = {
  client: Ref.optional(),
  profile: Ref.optional(),
  collection: Ref.optional(),
  proxy: Ref.optional(),
  virtual_mcp: Ref.optional(),
  origin: Ref.optional(),
  status: z
    .union([z.int(), z.string().max(100)])
    .optional()
    .describe('429, 4xx, or several separated by commas'),
  surface: z
    .enum([...RECORD_SURFACES, 'app', 'agent'])
    .optional()
    .describe('Interface; app is an alias of gateway, agent means all over MCP'),
  method: HttpMethod.optional(),
  agent_name: shortText.optional(),
  agent_host: shortText.optional().describe('OAuth client that the token was issued to'),
  subject: shortText.optional().describe('Subject of the token or client certificate'),
  check: shortText.optional().describe('Name of the check that ended the request, such as limits'),
  outcome_class: z.enum(OUTCOME_CLASSES).optional(),
  failure_origin: z.enum(FAILURE_ORIGINS).optional(),
  upstream_target: z.string().min(1).max(512).optional().describe('URL of the last upstream target'),
  cache: z.enum(CACHES).optional().describe('Cache result'),
}

const REFS: readonly (readonly [string, ResourceType])[] = [
  ['client', 'clients'],
  ['profile', 'profiles'],
  ['collection', 'collections'],
  ['proxy', 'proxies'],
  ['virtual_mcp', 'virtual_mcps'],
  ['origin', 'origins'],
  ['guardrail', 'guardrails'],
]

/**
 * The selection as records are asked for by it: resources by id, times absolute. What no longer exists is looked for as it was
 * written.
 */
export async function toSelection(
  input: Fields,
  context: OperationContext,
): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = { ...input, ...toPeriod(input, context) }
  for (const [field, type] of REFS) {
    const ref = found[field]
    if (typeof ref !== 'string') continue
    // A bare slug of a profile or proxy means the one below the client or collection that is asked for.
    const parent =
      type === 'profiles' ? found['client'] : type === 'proxies' ? found['collection'] : undefined
    const whole =
      typeof parent === 'string' && !ref.includes(':') && !ref.includes('_') ? `${parent}:${ref}` : ref
    found[field] = (await findRef(context.reader, type, whole, `/${field}`))?.id ?? ref
  }
  if (typeof found['session_id'] === 'string') found['session_id'] = sessionNameOf(found['session_id'])
  return found['surface'] === 'app' ? { ...found, surface: 'gateway' } : found
}

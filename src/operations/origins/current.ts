import { z } from 'zod'
import { CAPABILITY_TYPES, type CapabilityType } from '../../model/mcp/capability.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { attemptsOf, downSince, probedKeyOf } from './attempt.ts'
import { summariesOf } from './found.ts'

/** How many there are of each type. */
export const Counts = z.object(
  Object.fromEntries(CAPABILITY_TYPES.map((type) => [type, z.int()])) as Record<CapabilityType, z.ZodInt>,
)

/** How an origin is spoken to, without what it says of itself at length. */
export const VerdictView = z.object({
  era: z
    .enum(['modern', 'legacy'])
    .describe('modern: protocol 2026-07-28 and later; legacy: earlier revisions'),
  version: z.string().describe('Revision of the protocol'),
  transport: z
    .enum(['streamable_http', 'http_sse'])
    .describe('http_sse: the transport of revision 2024-11-05, which is deprecated'),
  server: z.object({ name: z.string(), version: z.string() }),
  found_at: z.string().describe('When Postern found this out'),
})

/** What get and list show of how an origin is. */
export const currentOriginShape = {
  reachable: z
    .enum(['ok', 'unreachable', 'unknown'])
    .optional()
    .describe(
      'Result of the last probe of its server; unknown: it has not been probed as it is now. Shown by get and list',
    ),
  down_since: z
    .string()
    .nullable()
    .optional()
    .describe(
      'Since when its server cannot be reached, or answers 5xx; its items are in no list. Null while it answers. Shown by get and list',
    ),
  last_error: z.string().nullable().optional().describe('Why the last probe failed. Shown by get and list'),
  last_refresh: z.string().nullable().optional().describe('Time of the last probe. Shown by get and list'),
  protocol: VerdictView.nullable().optional().describe('How it is spoken to. Shown by get and list'),
  capabilities: Counts.nullable()
    .optional()
    .describe('Number of its tools, prompts, resources and resource templates. Shown by get and list'),
}

/** How origins are now, by id. */
export async function currentOrigins(
  origins: readonly Resource[],
  { reader }: OperationContext,
): Promise<ReadonlyMap<string, Fields>> {
  const servers = origins.filter(({ spec }) => spec['kind'] !== 'collection')
  const ids = servers.map(({ id }) => id)
  const [summaries, attempts] = [await summariesOf(reader, ids), await attemptsOf(reader, ids)]
  return new Map(
    servers.map(({ id, spec }) => {
      const [summary, attempt] = [summaries.get(id), attempts.get(id)]
      const isKnown = attempt !== undefined && attempt.of === probedKeyOf(spec)
      const { counts = null, ...protocol } = summary ?? {}
      const shown = {
        reachable: !isKnown ? 'unknown' : attempt.error === null ? 'ok' : 'unreachable',
        down_since: downSince(spec, attempt),
        last_error: attempt?.error ?? null,
        last_refresh: attempt?.at ?? null,
        // Absent in what earlier versions have found
        protocol: summary === undefined ? null : { transport: 'streamable_http', ...protocol },
        capabilities: counts,
      }
      return [id, shown] as const
    }),
  )
}

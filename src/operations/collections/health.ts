import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { UpstreamHealth } from '../../model/api/upstream.ts'
import { Ref } from '../../model/members.ts'
import { about, define } from '../engine/define.ts'
import { collectionKind } from './kind.ts'

export const getCollectionHealth = define({
  resource: 'collections',
  action: 'health',
  effect: 'read',
  tool: 'get_collection_health',
  group: collectionKind.group,
  summary: 'Show the health of the upstream targets of a published collection and its circuit breaker',
  input: z.strictObject({ id: Ref }),
  output: UpstreamHealth.extend({ id: z.string(), slug: z.string() }),
  permission: 'collections:read',
  refuses: ['not_found', 'not_ready'],
  columns: ['targets.server', 'targets.state', 'targets.until', 'targets.pending', 'targets.failures'],
  ...about(collectionKind),
  handle: async ({ id }, context) => {
    const { id: collection, slug } = await context.find('collections', id)
    const health = await context.upstreams.health(collection)
    if (health === null)
      throw refuse('not_ready', {
        detail: `The collection "${slug}" is not served: publish it with an upstream first.`,
      })
    return { id: collection, slug, ...health }
  },
})

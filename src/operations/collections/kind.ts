import { z } from 'zod'
import { isRefusedHost } from '../../base/address.ts'
import { refuse } from '../../base/refusal.ts'
import { CollectionSpec } from '../../model/collection.ts'
import { NOUNS, Status } from '../../model/common.ts'
import type { Fields } from '../../store/ports/config.ts'
import type { OperationContext } from '../context.ts'
import { collectionKeepsApart } from '../credentials/shared-answers.ts'
import { type Kind, type Self, viewSchema } from '../kind.ts'
import { overlapsOfCollection } from '../overlaps.ts'
import { refuseUselessTls, warnOfTls } from './upstream-tls.ts'

export const collectionKind: Kind = {
  type: 'collections',
  noun: NOUNS.collections,
  prefix: 'col',
  group: 'manage_collections',
  spec: CollectionSpec,
  view: viewSchema(CollectionSpec, {}, true),
  columns: ['slug', 'name', 'base_path', 'status', 'revision', 'updated_at'],
  parent: null,
  refs: [
    { field: 'credential', type: 'credentials' },
    { field: 'policy', type: 'policies' },
  ],
  staged: true,
  filters: {
    status: Status,
    base_path: z.string().max(512),
    credential: z.string().max(130),
    policy: z.string().max(130),
  },
  keyOf: (spec) => String(spec['base_path']),
  check,
  warn: async (collection, context) => [
    ...(await overlapsOfCollection(collection, context)),
    ...warnOfTls(collection, context),
  ],
}

async function check(fields: Fields, self: Self, context: OperationContext): Promise<void> {
  // Parsed by the exact schema, then references became ids, which are strings too.
  const spec = fields as CollectionSpec
  for (const other of await context.whole.byKey('collections', spec.base_path, null)) {
    if (other.id === self.id || !meets(spec.hosts, other.spec['hosts'] as readonly string[])) continue
    throw refuse('already_exists', {
      detail: `The base path ${spec.base_path} belongs to the collection "${other.slug}".`,
      errors: [{ pointer: '/base_path', reason: `taken by the collection "${other.slug}"` }],
    })
  }
  if (spec.status === 'published' && spec.upstream === null)
    throw refuse('configuration_invalid', {
      detail: 'A collection needs an upstream before it is published.',
      errors: [{ pointer: '/upstream', reason: 'required before publishing' }],
    })
  // Cloud machines serve credentials there; names that resolve to such an address are refused when they are connected to.
  for (const [index, target] of (spec.upstream?.targets ?? []).entries())
    if (isRefusedHost(new URL(target.url).hostname))
      throw refuse('input_invalid', {
        detail: 'A link-local, metadata or multicast address cannot be an upstream.',
        errors: [
          {
            pointer: `/upstream/targets/${index}/url`,
            reason: 'a link-local, metadata or multicast address',
          },
        ],
      })
  refuseUselessTls(spec)
  await collectionKeepsApart(spec, self, context)
  if (spec.schemas !== null && (await context.whole.schema(spec.schemas)) === undefined)
    throw refuse('input_invalid', {
      detail: 'The schemas are not stored here; only an import sets them.',
      errors: [{ pointer: '/schemas', reason: 'not stored here' }],
    })
}

/** Two sets of hosts that one request could fit equally: both all hosts, or one host in both. */
function meets(mine: readonly string[], theirs: readonly string[]): boolean {
  if (mine.length === 0 || theirs.length === 0) return mine.length === theirs.length
  return mine.some((host) => theirs.includes(host))
}

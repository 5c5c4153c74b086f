import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { type FieldError, Refusal, refuse } from '../../base/refusal.ts'
import { refersTo } from '../../model/annotations.ts'
import { Ref, Slug, Status } from '../../model/members.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { Warning } from '../engine/kind.ts'
import { patchSchema } from '../engine/kind-schema.ts'
import { getRef } from '../engine/refs.ts'
import { patchResource } from '../engine/write-resource.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'
import { proxyKind } from './kind.ts'

/** Proxies that one call changes: more would hold up every other write for seconds. */
const PROXIES_MAX = 500
const REFUSED_MAX = 20

const Filter = z
  .strictObject({
    collection: Ref.optional(),
    tag: Slug.optional(),
    status: Status.optional(),
    policy: Ref.optional(),
  })
  .refine((filter) => Object.keys(filter).length > 0, 'at least one member')

export const bulkUpdateProxies = define({
  resource: 'proxies',
  action: 'bulk_update',
  effect: 'update',
  tool: 'bulk_update_proxies',
  group: proxyKind.group,
  summary: `Change the same members of up to ${PROXIES_MAX} proxies: all of them or none`,
  input: z.strictObject({
    ids: z
      .array(Ref.meta(refersTo('proxies')))
      .min(1)
      .max(PROXIES_MAX)
      .optional()
      .describe('Ids or slugs; alternatively a filter'),
    filter: Filter.optional().describe(
      'Selects resources that match every member, such as {"collection":"orders"}',
    ),
    changes: z
      .strictObject(patchSchema(proxyKind.spec, ['collection', 'slug', 'name']))
      .describe('New values of members, such as {"policy":"gold"}'),
  }),
  output: z.object({
    proxies: z.array(
      z.object({
        id: z.string(),
        slug: Slug,
        collection: z.string().meta(refersTo('collections')),
        revision: z.int(),
        changed: z.boolean().describe('False if the proxy already had these values'),
      }),
    ),
    changed: z.int(),
    collection: z
      .string()
      .meta(refersTo('collections'))
      .nullable()
      .describe('Id of the collection, if all are in one'),
    warnings: z.array(Warning).optional(),
  }),
  permission: 'proxies:update',
  refuses: CHANGE_REFUSES,
  columns: ['proxies.slug', 'proxies.collection', 'proxies.changed', 'proxies.revision'],
  subject: (_input, output) => ({
    type: proxyKind.noun,
    id: null,
    slug: null,
    collection: output?.collection ?? null,
  }),
  handle: async ({ ids, filter, changes }, context) => {
    refuseRevision(context)
    // Each has an entry of its own in the trail
    context.change.planId = newId('pln', context.clock)
    const found = await foundBy(ids, filter, context)
    const stored = await patchAll(found, changes as Fields, context)
    const slugs = await context.reader.slugs(found.map(({ parent }) => parent!))
    const proxies = stored.map(({ id, slug, parent, revision }, index) => ({
      id,
      slug,
      collection: slugs.get(parent!) ?? parent!,
      revision,
      changed: revision !== found[index]!.revision,
    }))
    const collections = new Set(found.map(({ parent }) => parent))
    const first = stored[0]
    const isAttached = first !== undefined && 'policy' in changes
    const warnings = isAttached ? await warnOfInactivePolicy(first, context) : []
    return {
      proxies,
      changed: proxies.filter(({ changed }) => changed).length,
      collection: collections.size === 1 ? found[0]!.parent : null,
      ...(warnings.length === 0 ? {} : { warnings }),
    }
  },
})

/** One revision cannot be that of many. */
function refuseRevision({ options }: OperationContext): void {
  if (options.expectedRevision === undefined) return
  throw refuse('input_invalid', {
    detail: 'expected_revision is for one resource; leave it out.',
    errors: [{ pointer: '/expected_revision', reason: 'is for one resource' }],
  })
}

async function foundBy(
  ids: readonly string[] | undefined,
  filter: z.output<typeof Filter> | undefined,
  context: OperationContext,
): Promise<Resource[]> {
  if ((ids === undefined) === (filter === undefined))
    throw refuse('input_invalid', {
      detail: 'Name the proxies with either ids or filter.',
      errors: [{ pointer: '/ids', reason: 'either ids or filter' }],
    })
  if (ids !== undefined) return byRefs(ids, context)
  const { collection, tag, status, policy } = filter!
  const idOf = async (type: 'collections' | 'policies', ref: string): Promise<string> =>
    (await getRef(context.reader, type, ref)).id
  const found = await context.reader.list({
    type: 'proxies',
    limit: PROXIES_MAX + 1,
    ...(collection === undefined ? {} : { parent: await idOf('collections', collection) }),
    ...(tag === undefined ? {} : { tags: [tag] }),
    where: {
      ...(status === undefined ? {} : { status }),
      ...(policy === undefined ? {} : { policy: await idOf('policies', policy) }),
    },
  })
  if (found.length <= PROXIES_MAX) return [...found]
  const reason = `fits more than ${PROXIES_MAX} proxies`
  throw refuse('input_invalid', { detail: `The filter ${reason}.`, errors: [{ pointer: '/filter', reason }] })
}

async function byRefs(refs: readonly string[], context: OperationContext): Promise<Resource[]> {
  const found = new Map<string, Resource>()
  for (const ref of refs) {
    const proxy = await getRef(context.reader, 'proxies', ref)
    found.set(proxy.id, proxy)
  }
  return [...found.values()]
}

/** All, or a refusal that says of each what is in its way. What is not permitted ends it at once. */
async function patchAll(
  found: readonly Resource[],
  changes: Fields,
  context: OperationContext,
): Promise<Resource[]> {
  const stored: Resource[] = []
  const refusals: { readonly slug: string; readonly refusal: Refusal }[] = []
  for (const proxy of found)
    try {
      await context.demand('proxies:update', proxy)
      stored.push(await patchResource(context, proxyKind, proxy, changes))
    } catch (error) {
      if (!(error instanceof Refusal) || error.code === 'permission_denied') throw error
      refusals.push({ slug: proxy.slug, refusal: error })
    }
  const [first] = refusals
  if (first === undefined) return stored
  throw refuse(first.refusal.code, {
    detail: `${first.slug}: ${first.refusal.message}${refusals.length > 1 ? ` And ${refusals.length - 1} more are refused.` : ''} Nothing was changed.`,
    errors: refusals.slice(0, REFUSED_MAX).flatMap(toErrors),
    sought: refusals.flatMap(({ refusal }) => refusal.facts.sought ?? []),
  })
}

function toErrors({ slug, refusal }: { readonly slug: string; readonly refusal: Refusal }): FieldError[] {
  const { errors } = refusal.facts
  if (errors === undefined || errors.length === 0)
    return [{ pointer: '/changes', reason: `${slug}: ${refusal.message}` }]
  return errors.map(({ pointer, reason }) => ({
    pointer: `/changes${pointer}`,
    reason: `${slug}: ${reason}`,
  }))
}

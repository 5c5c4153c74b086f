import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { refersTo } from '../../model/annotations.ts'
import type { CollectionSpec } from '../../model/api/collection.ts'
import { Ref } from '../../model/members.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { Warning } from '../engine/kind.ts'
import { viewOf } from '../engine/views.ts'
import { createResource, replaceResource } from '../engine/write-resource.ts'
import { fromImport } from '../proxies/contract.ts'
import { proxyKind } from '../proxies/kind.ts'
import {
  BrokenRefs,
  type Compared,
  compareDescription,
  Document,
  type ImportedProxy,
  NotEnforced,
  type ProxyChange,
  readForComparison,
  type Standing,
} from './compare-description.ts'
import { collectionKind } from './kind.ts'

const ProxyChangeView = z.object({
  change: z
    .enum(['added', 'changed', 'missing'])
    .describe('missing: in the collection, but not in the description'),
  proxy: z.string().meta(refersTo('proxies')).describe('Slug'),
  route: z.string().describe('Methods and path'),
  members: z.array(z.string()).describe('Members that differ'),
  breaking: z
    .array(Warning)
    .describe('Changes that could break callers of the previous version; pointers refer to the proxy'),
})

/** Reads a newer description into a collection, proxy by proxy, and tells what that changes for its callers. */
export const reimportCollection = define({
  resource: 'collections',
  action: 'reimport',
  effect: 'act',
  tool: 'reimport_openapi',
  group: 'manage_collections',
  summary:
    'Import a newer description into a collection. Proxies are matched by operationId or route; breaking changes are listed',
  input: z.strictObject({
    id: Ref,
    document: Document,
    breaking: z
      .enum(['refuse', 'allow'])
      .default('refuse')
      .describe('What to do with changes that could break callers'),
    missing: z
      .enum(['keep', 'draft'])
      .default('keep')
      .describe('Proxies that are missing in the description: keep them, or make them drafts'),
    publish: z.boolean().default(false).describe('Publish new proxies immediately. Default: they are drafts'),
    broken_refs: BrokenRefs,
  }),
  output: z.object({
    collection: collectionKind.view,
    added: z.int(),
    changed: z.int(),
    missing: z.int(),
    unchanged: z.int(),
    breaking: z.int().describe('Proxies with breaking changes'),
    changes: z.array(ProxyChangeView),
    warnings: z
      .array(Warning)
      .describe('Parts that were imported differently from the document; pointers refer to the document'),
    not_enforced: NotEnforced,
  }),
  permission: 'collections:update',
  refuses: [...CHANGE_REFUSES, 'document_invalid'],
  large: true,
  columns: ['collection.slug', 'added', 'changed', 'missing', 'unchanged', 'breaking'],
  subject: (input, output) => ({
    type: collectionKind.noun,
    // The view of a stored collection has both.
    id: (output?.collection['id'] as string | undefined) ?? null,
    slug: (output?.collection['slug'] as string | undefined) ?? input.id,
  }),
  prepare: async ({ document, broken_refs, ...options }, context) => {
    const collection = await context.find('collections', options.id)
    const { base_path } = collection.spec as CollectionSpec
    const { description } = await context.apart(readForComparison, {
      document,
      options: { base_path, broken_refs },
    })
    const { basis, ...before } = await standing(collection, options, context)
    const compared = await context.apart(compareDescription, { ...sent(before), description })
    return { options, description, compared, basis }
  },
  handle: async ({ options, description, compared, basis }, context) => {
    const collection = await context.change.act('collections', options.id)
    const now = await standing(collection, options, context)
    const { changes, writes, missing, schemas, warnings, notEnforced } =
      now.basis === basis ? compared : await context.apart(compareDescription, { ...sent(now), description })
    refuseBreaking(changes, options.breaking)

    await storeSchemas(collection, schemas, context)
    const byId = new Map(now.known.map((resource) => [resource.id, resource]))
    let done = 0
    for (const { id, spec } of writes) {
      // The thread apart has made its schemas usable
      fromImport(spec)
      if (id === null) await create(collection, spec, options.publish, context)
      else await replaceResource(context, proxyKind, byId.get(id)!, spec)
      await yieldThread(++done)
    }
    if (options.missing === 'draft')
      for (const id of missing) {
        const resource = byId.get(id)!
        await replaceResource(context, proxyKind, resource, { ...resource.spec, status: 'draft' })
        await yieldThread(++done)
      }
    const count = (change: ProxyChange['change']): number =>
      changes.filter((one) => one.change === change).length
    return {
      collection: await viewOf(
        context.reader,
        collectionKind,
        (await context.reader.byId('collections', collection.id)) ?? collection,
      ),
      added: count('added'),
      changed: count('changed'),
      missing: count('missing'),
      unchanged: now.known.length - count('changed') - count('missing'),
      breaking: changes.filter(({ breaking }) => breaking.length > 0).length,
      changes,
      warnings: [...warnings],
      not_enforced: [...notEnforced],
    }
  },
})

/** The collection as it stands for the principal. */
async function standing(
  collection: Resource,
  { missing }: { readonly missing: 'keep' | 'draft' },
  { reader, whole }: OperationContext,
) {
  const known = await reader.all('proxies', collection.id)
  const { schemas: hash } = collection.spec as CollectionSpec
  return {
    known,
    schemas: hash === null ? null : ((await whole.schema(hash)) ?? null),
    hides: missing === 'draft',
    /** Of whatever a comparison goes by. */
    basis: [collection.id, hash, ...known.map(({ id, revision }) => `${id} ${revision}`)].join(),
  }
}

/** What the job gets of it. */
function sent({ known, schemas, hides }: Standing): Standing {
  return { known: known.map(({ id, slug, status, spec }) => ({ id, slug, status, spec })), schemas, hides }
}

/** Breaking changes that are told in a refusal. */
const TOLD_MAX = 50

function refuseBreaking(changes: readonly ProxyChange[], wish: 'refuse' | 'allow'): void {
  const errors = changes.flatMap(({ proxy, breaking }) =>
    breaking.map(({ pointer, reason }) => ({ pointer: `/proxies/${proxy}${pointer}`, reason })),
  )
  if (wish === 'allow' || errors.length === 0) return
  throw refuse('configuration_invalid', {
    detail: `The description has ${errors.length === 1 ? 'a change' : `${errors.length} changes`} that could break callers, such as ${errors[0]!.pointer}: ${errors[0]!.reason}. To import it anyway, send breaking: "allow" (--allow-breaking). To see all changes first, add dry_run (--dry-run).`,
    errors: errors.slice(0, TOLD_MAX),
  })
}

async function storeSchemas(
  collection: Resource,
  kept: Compared['schemas'],
  context: OperationContext,
): Promise<void> {
  const hash = kept?.hash ?? null
  if (hash === collection.spec.schemas) return
  if (kept !== null) await context.change.writer.putSchema(kept.hash, kept.json)
  await replaceResource(context, collectionKind, collection, { ...collection.spec, schemas: hash })
}

async function create(
  collection: Resource,
  proxy: ImportedProxy,
  isPublished: boolean,
  context: OperationContext,
): Promise<void> {
  context.require('proxies:create')
  const taken = await context.whole.bySlug('proxies', proxy.slug, collection.id)
  const { slug, ...rest } = proxy
  const spec = {
    ...rest,
    // Without a slug one is made of the name; a proxy of another route may have had this one
    ...(taken.length === 0 ? { slug } : {}),
    collection: collection.id,
    status: isPublished ? proxy.status : ('draft' as const),
  }
  await createResource(context, proxyKind, spec, false)
}

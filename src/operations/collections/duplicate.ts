import { z } from 'zod'
import { BasePath } from '../../model/api/collection.ts'
import type { ProxySpec } from '../../model/api/proxy.ts'
import { Name, Ref, Slug } from '../../model/members.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { withHeaderTexts } from '../engine/resource-secrets.ts'
import { viewOf } from '../engine/views.ts'
import { createResource, draftOf, sourceOf } from '../engine/write-resource.ts'
import { fromImport } from '../proxies/contract.ts'
import { proxyKind } from '../proxies/kind.ts'
import { collectionKind } from './kind.ts'

export const duplicateCollection = define({
  resource: 'collections',
  action: 'duplicate',
  effect: 'create',
  tool: 'duplicate_collection',
  group: collectionKind.group,
  summary: 'Copy a collection and its proxies as drafts under another base path',
  input: z.strictObject({
    id: Ref.describe('The collection that is copied'),
    base_path: BasePath,
    name: Name.optional().describe('That of the collection with (copy) when absent'),
    slug: Slug.optional().describe('Default: derived from the name'),
  }),
  output: collectionKind.view.extend({ proxies: z.int().describe('Number of created proxies, all drafts') }),
  permission: 'collections:create',
  refuses: CHANGE_REFUSES,
  columns: [...collectionKind.columns, 'proxies'],
  subject: ({ slug }) => ({ type: collectionKind.noun, id: null, slug: slug ?? null }),
  handle: async ({ id, ...members }, context) => {
    const original = await sourceOf(collectionKind, id, context)
    const copy = await createResource(
      context,
      collectionKind,
      await withHeaderTexts(context, draftOf(collectionKind, original, members), original),
    )
    const proxies = await context.whole.all('proxies', original.id)
    for (const proxy of proxies) {
      await context.demand('proxies:read', proxy)
      const { name, slug } = proxy
      const spec = draftOf(proxyKind, proxy, { name, slug, collection: copy.id })
      // Judged when the original was stored
      fromImport(spec as ProxySpec)
      await createResource(context, proxyKind, await withHeaderTexts(context, spec, proxy), false)
    }
    return { ...(await viewOf(context.reader, collectionKind, copy)), proxies: proxies.length }
  },
})

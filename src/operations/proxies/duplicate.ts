import { z } from 'zod'
import { PathPattern } from '../../model/api/proxy.ts'
import { HttpMethod, Name, Ref, Slug } from '../../model/members.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { writtenSchema } from '../engine/kind.ts'
import { withHeaderTexts } from '../engine/resource-secrets.ts'
import { createResource, draftOf, sourceOf, writtenView } from '../engine/write-resource.ts'
import { proxyKind } from './kind.ts'

export const duplicateProxy = define({
  resource: 'proxies',
  action: 'duplicate',
  effect: 'create',
  tool: 'duplicate_proxy',
  group: proxyKind.group,
  summary: 'Copy a proxy as a draft with another path, other methods or another collection',
  input: z.strictObject({
    id: Ref.describe('The proxy that is copied'),
    collection: Ref.optional().describe('That of the proxy when absent'),
    path: PathPattern.optional().describe('That of the proxy when absent'),
    methods: z.array(HttpMethod).min(1).max(7).optional().describe('Those of the proxy when absent'),
    name: Name.optional().describe('That of the proxy with (copy) when absent'),
    slug: Slug.optional().describe('Default: derived from the name'),
  }),
  output: writtenSchema(proxyKind),
  permission: 'proxies:create',
  refuses: CHANGE_REFUSES,
  columns: proxyKind.columns,
  subject: ({ slug }) => ({ type: proxyKind.noun, id: null, slug: slug ?? null }),
  handle: async ({ id, ...members }, context) => {
    const original = await sourceOf(proxyKind, id, context)
    // One id stands for one operation
    const operation_id = members.collection === undefined ? null : undefined
    const copied = draftOf(proxyKind, original, { ...members, operation_id })
    const spec = await withHeaderTexts(context, copied, original)
    return writtenView(context, proxyKind, await createResource(context, proxyKind, spec))
  },
})

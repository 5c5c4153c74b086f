import { z } from 'zod'
import { unpackJson } from '../../base/json/canonical.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { Ref } from '../../model/members.ts'
import { toDocument } from '../../snapshot/offer/openapi-document.ts'
import { about, define } from '../engine/define.ts'
import { Warning } from '../engine/kind.ts'
import { collectionKind } from './kind.ts'

/** Operations that one description may have, as at import. */
const PROXIES_MAX = 20_000

export const exportOpenapi = define({
  resource: 'collections',
  action: 'export_openapi',
  effect: 'read',
  tool: 'export_openapi',
  group: collectionKind.group,
  summary: 'Export the published proxies of a collection and their contracts as OpenAPI 3.1',
  input: z.strictObject({
    id: Ref,
    server: z
      .enum(['gateway', 'upstream'])
      .default('gateway')
      .describe('gateway: the base path; upstream: the first server behind it, as for an import elsewhere'),
  }),
  output: z.object({
    document: z.looseObject({ openapi: z.string() }),
    proxies: z.int(),
    warnings: z.array(Warning).describe('Facts that the description cannot express'),
  }),
  permission: 'collections:read',
  refuses: ['not_found'],
  columns: ['proxies', 'warnings'],
  ...about(collectionKind),
  handle: async ({ id, server }, context) => {
    const collection = await context.find('collections', id)
    context.require('proxies:read')
    // Stored by the schema of this type
    const spec = collection.spec
    const published = await context.reader.list({
      type: 'proxies',
      parent: collection.id,
      where: { status: 'published' },
      limit: PROXIES_MAX,
    })
    const json = spec.schemas === null ? undefined : await context.whole.schema(spec.schemas)
    const { document, warnings } = toDocument({
      collection: spec,
      version: String(collection.revision),
      server: server === 'gateway' ? spec.base_path : (spec.upstream?.targets[0]?.url ?? spec.base_path),
      proxies: published.map((proxy) => ({ ...proxy.spec, slug: proxy.slug })),
      // Stored by the import
      schemas: json === undefined ? {} : (JSON.parse(unpackJson(json)) as Record<string, JsonSchema>),
    })
    return { document: { openapi: '3.1.0', ...document }, proxies: published.length, warnings: [...warnings] }
  },
})

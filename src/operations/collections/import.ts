import { z } from 'zod'
import { Refusal, refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { BasePath, CollectionSpec } from '../../model/api/collection.ts'
import { IMPORTED_VALIDATION, ValidationMode } from '../../model/api/proxy.ts'
import { UpstreamUrl } from '../../model/api/upstream.ts'
import { Name, Slug } from '../../model/members.ts'
import { define } from '../engine/define.ts'
import { Warning } from '../engine/kind.ts'
import { viewOf } from '../engine/views.ts'
import { createResource } from '../engine/write-resource.ts'
import { fromImport } from '../proxies/contract.ts'
import { proxyKind } from '../proxies/kind.ts'
import { BrokenRefs, Document, NotEnforced, readDescription } from './compare-description.ts'
import { collectionKind } from './kind.ts'

/** Reads a description and stores what it becomes in one change: the collection, its proxies, its schemas. */
export const importCollection = define({
  resource: 'collections',
  action: 'import',
  effect: 'act',
  tool: 'import_openapi',
  group: 'manage_collections',
  summary:
    'Create a collection and its proxies from an OpenAPI description (2.0, 3.0, 3.1), a Postman collection or a HAR; fetches no URL',
  input: z.strictObject({
    document: Document,
    base_path: BasePath.optional().describe(
      'Path under which the collection is published. Default: the path of the servers in the description, or the slug if they have none',
    ),
    name: Name.optional().describe('Default: the title of the description'),
    slug: Slug.optional().describe('Default: derived from the name'),
    upstream: UpstreamUrl.optional().describe(
      'URL of the API. If it has no path, the path of the servers in the description is added',
    ),
    publish: z
      .boolean()
      .default(false)
      .describe('Publish immediately. Default: the collection stays a draft'),
    request_validation: ValidationMode.default(IMPORTED_VALIDATION).describe(
      'How contract checks treat requests; report: they only report for now, and collections contract-report lists the findings',
    ),
    broken_refs: BrokenRefs,
  }),
  output: z.object({
    collection: collectionKind.view,
    proxies: z.int().describe('Number of created proxies'),
    draft_proxies: z
      .int()
      .describe(
        'Number of proxies that stay drafts when the collection is published; the warnings give the reasons',
      ),
    schemas: z.int().describe('Number of shared schemas'),
    warnings: z
      .array(Warning)
      .describe('Parts that were imported differently from the document; pointers refer to the document'),
    not_enforced: NotEnforced,
  }),
  permission: 'collections:create',
  refuses: ['document_invalid', 'already_exists', 'configuration_invalid', 'idempotency_conflict'],
  large: true,
  columns: [
    'collection.slug',
    'collection.base_path',
    'collection.status',
    'proxies',
    'draft_proxies',
    'schemas',
  ],
  subject: (input, output) => ({
    type: collectionKind.noun,
    // The view of a stored collection has both.
    id: (output?.collection['id'] as string | undefined) ?? null,
    slug: (output?.collection['slug'] as string | undefined) ?? input.slug ?? null,
  }),
  prepare: async ({ document, request_validation, ...options }, { apart }) => ({
    ...(await apart(readDescription, { document, options })),
    request_validation,
    isDefaultPath: options.base_path === undefined,
  }),
  handle: async (
    { collection, proxies, schemas, warnings, notEnforced, request_validation, isDefaultPath },
    context,
  ) => {
    context.require('proxies:create')
    const hash = schemas?.hash ?? null
    if (schemas !== null) await context.change.writer.putSchema(schemas.hash, schemas.json)
    const made = CollectionSpec.parse({ ...collection, request_validation, schemas: hash })
    const stored = await createResource(context, collectionKind, made).catch((error: unknown) => {
      throw withRemedy(error, isDefaultPath)
    })
    for (const [index, proxy] of proxies.entries()) {
      const { slug: _slug, ...described } = proxy
      const spec = { ...described, collection: stored.id }
      fromImport(spec)
      await createResource(context, proxyKind, { ...spec, slug: proxy.slug }, false)
      await yieldThread(index)
    }
    return {
      collection: await viewOf(context.reader, collectionKind, stored),
      proxies: proxies.length,
      draft_proxies: proxies.filter(({ status }) => status === 'draft').length,
      schemas: schemas?.count ?? 0,
      warnings: [...warnings],
      not_enforced: [...notEnforced],
    }
  },
})

/** The refusal of a slug or base path that is taken, with what to do about it. */
function withRemedy(error: unknown, isDefaultPath: boolean): unknown {
  if (!(error instanceof Refusal) || error.code !== 'already_exists') return error
  const { detail, errors } = error.facts
  const pointer = errors?.[0]?.pointer
  const remedy =
    pointer === '/slug'
      ? 'To import a newer version of a description into that collection, use reimport.'
      : pointer === '/base_path' && isDefaultPath
        ? 'The base path comes from the description: give another base_path.'
        : null
  return remedy === null ? error : refuse('already_exists', { ...error.facts, detail: `${detail} ${remedy}` })
}

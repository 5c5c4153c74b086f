import { z } from 'zod'
import { canonicalJson } from '../../base/canonical.ts'
import { unpackJson } from '../../base/packed-text.ts'
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/yield.ts'
import { refersTo } from '../../model/annotations.ts'
import type { CollectionSpec } from '../../model/collection.ts'
import { type JsonSchema, ProxySpec } from '../../model/proxy.ts'
import { Ref } from '../../model/slug.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { Warning } from '../engine/kind.ts'
import { viewOf } from '../engine/views.ts'
import { createResource, replaceResource } from '../engine/write-resource.ts'
import { collectionKind } from '../kinds/collections.ts'
import { proxyKind } from '../kinds/proxies.ts'
import { fromImport } from '../proxies/contract.ts'
import { breakingChanges, type Shared, sharedBy } from './breaking.ts'
import {
  BrokenRefs,
  Document,
  NotEnforced,
  type ReadDescription,
  readDescription,
  storedSchemas,
} from './description-input.ts'

/** Members of a proxy that a description says; all others are the operator's. */
const DESCRIBED = [
  'name',
  'description',
  'tags',
  'operation_id',
  'deprecated',
  'methods',
  'path',
  'parameters',
  'request_schema',
  'request_schemas',
  'request_types',
  'request_required',
  'response_schema',
  'request_example',
  'response_example',
] as const

const ProxyChange = z.object({
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
type ProxyChange = z.output<typeof ProxyChange>

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
    changes: z.array(ProxyChange),
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
  prepare: async ({ document, broken_refs, ...options }, { apart, find }) => {
    const { base_path } = (await find('collections', options.id)).spec as CollectionSpec
    return {
      options,
      imported: await apart(readDescription, { document, options: { base_path, broken_refs } }),
    }
  },
  handle: async ({ options, imported }, context) => {
    const collection = await context.change.act('collections', options.id)
    const spec = collection.spec as CollectionSpec
    const before = await schemasOf(spec.schemas, context)
    const known = await context.reader.all('proxies', collection.id)
    const pairs = pairsOf(known, imported)
    // Each of these takes long by itself for the largest descriptions
    await yieldThread(0)
    // As the job has written them
    const after =
      imported.schemas === null
        ? {}
        : (JSON.parse(unpackJson(imported.schemas.json)) as Readonly<Record<string, JsonSchema>>)
    await yieldThread(0)
    const kept = keptSchemas(pairs.missing, before, after)
    const shared = sharedBy(before, kept)
    const judged: (Pairs['found'][number] & { readonly change: ProxyChange | null })[] = []
    for (const pair of pairs.found) {
      judged.push({ ...pair, change: changeOf(pair, shared) })
      await yieldThread(judged.length)
    }
    const changes = judged.flatMap(({ change }) => change ?? [])
    for (const { resource } of pairs.missing) changes.push(missing(resource, options.missing === 'draft'))
    refuseBreaking(changes, options.breaking)

    await storeSchemas(collection, spec, kept === after ? imported.schemas : toStoredSchemas(kept), context)
    for (const { resource, proxy, change } of judged) {
      if (resource === null) await create(collection, proxy, options.publish, context)
      else if (change !== null && change.members.length > 0)
        await replaceResource(context, proxyKind, resource, described(resource, proxy))
    }
    if (options.missing === 'draft')
      for (const { resource } of pairs.missing)
        await replaceResource(context, proxyKind, resource, { ...resource.spec, status: 'draft' })
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
      unchanged: known.length - count('changed') - count('missing'),
      breaking: changes.filter(({ breaking }) => breaking.length > 0).length,
      changes,
      warnings: [...imported.warnings],
      not_enforced: [...imported.notEnforced],
    }
  },
})

type ImportedProxy = ReadDescription['proxies'][number]

interface Pairs {
  /** What the description has, with the proxy of it; null for a new one. */
  readonly found: readonly { readonly resource: Resource | null; readonly proxy: ImportedProxy }[]
  readonly missing: readonly { readonly resource: Resource }[]
}

function pairsOf(known: readonly Resource[], { proxies }: ReadDescription): Pairs {
  const left = new Set(known)
  const byId = new Map<string, Resource>()
  const byRoute = new Map<string, Resource>()
  for (const resource of known) {
    const spec = specOf(resource)
    if (spec.operation_id !== null) byId.set(spec.operation_id, resource)
    for (const route of routesOf(spec)) byRoute.set(route, resource)
  }
  const take = (resource: Resource | undefined): Resource | null =>
    resource !== undefined && left.delete(resource) ? resource : null
  for (const proxy of proxies) fromImport(proxy)
  // By operationId first, so that a route that moved is not taken for another operation
  const named = new Map(proxies.map((proxy) => [proxy, take(byId.get(proxy.operation_id ?? ''))]))
  const found = proxies.map((proxy) => ({
    proxy,
    resource: named.get(proxy) ?? take(byRoute.get(routesOf(proxy)[0]!)),
  }))
  return { found, missing: [...left].map((resource) => ({ resource })) }
}

function specOf({ spec }: Resource): ProxySpec {
  // Parsed again, since earlier versions stored fewer members
  return ProxySpec.parse(spec)
}

function routesOf({ methods, path }: Pick<ProxySpec, 'methods' | 'path'>): string[] {
  return methods.map((method) => `${method} ${path.replace(/\{[^{}]*\}/g, '{}')}`)
}

/** The proxy with what the description says of it. */
function described(resource: Resource, proxy: ImportedProxy): ProxySpec {
  const spec = specOf(resource)
  const said = Object.fromEntries(DESCRIBED.map((member) => [member, proxy[member]]))
  const isWider = spec.methods.length > 1 && spec.methods.includes(proxy.methods[0]!)
  const next: ProxySpec = {
    ...spec,
    ...said,
    methods: isWider ? spec.methods : proxy.methods,
    // Its parameters have the names of those of the path
    target_path: spec.target_path === null || spec.path === proxy.path ? spec.target_path : proxy.target_path,
  }
  fromImport(next)
  return next
}

/** Null where nothing differs. */
function changeOf({ resource, proxy }: Pairs['found'][number], shared: Shared): ProxyChange | null {
  if (resource === null)
    return { change: 'added', proxy: proxy.slug, route: routeOf(proxy), members: [], breaking: [] }
  const [was, is] = [specOf(resource), described(resource, proxy)]
  const members = DESCRIBED.filter((member) => canonicalJson(was[member]) !== canonicalJson(is[member]))
  const breaking = breakingChanges(was, is, shared)
  if (members.length === 0 && breaking.length === 0) return null
  return { change: 'changed', proxy: resource.slug, route: routeOf(is), members, breaking }
}

function missing(resource: Resource, isHidden: boolean): ProxyChange {
  const gone = isHidden && resource.status === 'published'
  return {
    change: 'missing',
    proxy: resource.slug,
    route: routeOf(specOf(resource)),
    members: gone ? ['status'] : [],
    breaking: gone ? [{ pointer: '/status', reason: 'is no longer answered' }] : [],
  }
}

function routeOf({ methods, path }: Pick<ProxySpec, 'methods' | 'path'>): string {
  return `${methods.join(',')} ${path}`
}

/** Breaking changes that are told in a refusal. */
const TOLD_MAX = 50

function refuseBreaking(changes: readonly ProxyChange[], wish: 'refuse' | 'allow'): void {
  const errors = changes.flatMap(({ proxy, breaking }) =>
    breaking.map(({ pointer, reason }) => ({ pointer: `/proxies/${proxy}${pointer}`, reason })),
  )
  if (wish === 'allow' || errors.length === 0) return
  throw refuse('configuration_invalid', {
    detail: `The description has ${errors.length === 1 ? 'a change' : `${errors.length} changes`} that could break callers, such as ${errors[0]!.pointer}: ${errors[0]!.reason}. Send breaking: "allow" (--allow-breaking) to take it all the same, with dry_run (--dry-run) to see it all first.`,
    errors: errors.slice(0, TOLD_MAX),
  })
}

async function schemasOf(
  hash: string | null,
  context: OperationContext,
): Promise<Readonly<Record<string, JsonSchema>>> {
  const text = hash === null ? undefined : await context.whole.schema(hash)
  // Stored by an import, as its shared schemas.
  return text === undefined ? {} : (JSON.parse(unpackJson(text)) as Record<string, JsonSchema>)
}

/** Proxies that stay without being described any more may still point into the schemas of before. */
function keptSchemas(
  left: Pairs['missing'],
  before: Readonly<Record<string, JsonSchema>>,
  after: Readonly<Record<string, JsonSchema>>,
): Readonly<Record<string, JsonSchema>> {
  const isUsed = left.some(({ resource }) => JSON.stringify(resource.spec).includes('"#/$defs/'))
  return isUsed ? { ...before, ...after } : after
}

function toStoredSchemas(schemas: Readonly<Record<string, JsonSchema>>): ReadDescription['schemas'] {
  return Object.keys(schemas).length === 0 ? null : storedSchemas(schemas)
}

async function storeSchemas(
  collection: Resource,
  spec: CollectionSpec,
  kept: ReadDescription['schemas'],
  context: OperationContext,
): Promise<void> {
  const hash = kept?.hash ?? null
  if (hash === spec.schemas) return
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

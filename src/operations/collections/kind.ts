import { z } from 'zod'
import { certificatesOf } from '../../base/crypto/certificate.ts'
import { canonicalJson, unpackJson } from '../../base/json/canonical.ts'
import { isRefusedHost } from '../../base/net/address.ts'
import { refuse } from '../../base/refusal.ts'
import { BasePath, CHECKED_SWITCHES, CollectionSpec } from '../../model/api/collection.ts'
import { HeaderViews, routingHeaders } from '../../model/api/injected-header.ts'
import type { JsonSchema, ProxySpec } from '../../model/api/proxy.ts'
import { UpstreamHealth } from '../../model/api/upstream.ts'
import { Name, Ref, Slug, Status } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { toDocument } from '../../snapshot/offer/openapi-document.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { collectionKeepsApart, endWarnings } from '../credentials/kind.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, CHANGE_REFUSES, define } from '../engine/define.ts'
import { type Kind, type Self, Warning } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import { calledBy } from '../engine/refs.ts'
import { withHeaderTexts } from '../engine/resource-secrets.ts'
import { publishOf, setStatus, standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { viewOf, viewsOf } from '../engine/views.ts'
import { createResource, draftOf, sourceOf } from '../engine/write-resource.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'
import { fromImport } from '../proxies/contract.ts'
import { collectionOverlaps, isWithinPaths, proxyKind } from '../proxies/kind.ts'

export const collectionKind: Kind<'collections'> = {
  type: 'collections',
  noun: NOUNS.collections,
  prefix: 'col',
  group: 'manage_collections',
  about: 'A collection is an API product: a base path, an upstream, and the proxies below it.',
  tools:
    'Collections: published APIs, each with a base path and an upstream. Imports OpenAPI, Postman and HAR files.',
  example: {
    name: 'Orders',
    base_path: '/orders',
    upstream: { targets: [{ url: 'https://orders.internal.example' }] },
  },
  spec: CollectionSpec,
  view: viewSchema(CollectionSpec.extend({ headers: HeaderViews }), {}, true),
  columns: ['slug', 'name', 'base_path', 'status', 'revision', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    route: ['base_path', 'hosts', 'status', 'schemas'],
    upstream: ['upstream', 'headers', 'pass_headers', 'credential'],
    access: ['key_places', 'teams', 'all_users', 'requestable', ...CHECKED_SWITCHES],
    limits: ['policy', 'max_body', 'cors', 'request_validation', 'response_validation'],
  },
  refs: [
    { field: 'credential', type: 'credentials' },
    { field: 'policy', type: 'policies' },
    { field: 'teams', type: 'teams', many: true },
  ],
  staged: true,
  filters: {
    status: Status,
    base_path: z.string().max(512).describe('The whole base path'),
    credential: z.string().max(130).describe('Id or slug of the credential'),
    policy: z.string().max(130).describe('Id or slug of the policy'),
  },
  keyOf: (spec) => String(spec['base_path']),
  sentTo: (spec) => {
    // Stored by the schema of this type; earlier versions had fewer members.
    const { upstream, hosts, pass_headers = [], headers } = spec
    if (upstream === null) return null
    const isPreserved = upstream.host_header === 'preserve'
    return [
      upstream.targets.map(({ url }) => url),
      upstream.tls ?? null,
      // The caller's Host names the site at the server, within those that the collection answers on
      isPreserved ? hosts : null,
      pass_headers,
      routingHeaders(headers),
    ]
  },
  asks: (spec) => {
    const { upstream } = spec
    return (upstream?.targets ?? []).map(({ url }, index) => ({
      pointer: `/upstream/targets/${index}/url`,
      url,
    }))
  },
  check,
  warn: async (collection, context) => [
    ...(await collectionOverlaps(collection, context)),
    ...warnOfTls(collection, context),
    ...(await warnOfInactivePolicy(collection, context)),
  ],
}

async function check(fields: CollectionSpec, self: Self, context: OperationContext): Promise<void> {
  // Parsed by the exact schema, then references became ids, which are strings too.
  const spec = fields
  for (const other of await context.whole.byKey('collections', spec.base_path, null)) {
    if (other.id === self.id || !meets(spec.hosts, other.spec['hosts'] as readonly string[])) continue
    const called = await calledBy(context.reader, other)
    throw refuse('already_exists', {
      detail: `The base path ${spec.base_path} belongs to ${called}.`,
      errors: [{ pointer: '/base_path', reason: `taken by ${called}` }],
    })
  }
  await demandPaths(spec, self, context)
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
      detail: 'The schemas with this hash are not stored in this instance. Only an import stores schemas.',
      errors: [{ pointer: '/schemas', reason: 'not stored here' }],
    })
}

/** What goes before another collection takes paths from it: that is a change of the other. */
async function demandPaths(spec: CollectionSpec, self: Self, context: OperationContext): Promise<void> {
  const before = await context.whole.byId('collections', self.id)
  const isSame = (['base_path', 'hosts'] as const).every(
    (member) => canonicalJson(before?.spec[member] ?? []) === canonicalJson(spec[member]),
  )
  if (isSame) return
  const under = (await context.whole.all('collections')).filter(
    (other) => other.id !== self.id && isWithinPaths(spec, other.spec),
  )
  const baseOf = (other: Resource): string => String(other.spec['base_path'])
  // It takes nothing from those that lie behind one from which it takes everything
  const nearest = Math.max(
    0,
    ...under.filter((other) => hasHosts(other.spec, spec.hosts)).map((other) => baseOf(other).length),
  )
  for (const other of under)
    if (baseOf(other).length >= nearest) {
      await context.demand('collections:update', other)
      await context.change.takesFrom(other)
    }
}

/** A collection answers at all of these hosts, of which none means all. */
function hasHosts(spec: Fields, hosts: readonly string[]): boolean {
  const theirs = (spec['hosts'] ?? []) as readonly string[]
  return theirs.length === 0 || (hosts.length > 0 && hosts.every((host) => theirs.includes(host)))
}

/** Two sets of hosts that one request could fit equally: both all hosts, or one host in both. */
function meets(mine: readonly string[], theirs: readonly string[]): boolean {
  if (mine.length === 0 || theirs.length === 0) return mine.length === theirs.length
  return mine.some((host) => theirs.includes(host))
}

/** Proxies, and the assignments of clients and profiles, are deleted with a collection. */
async function detach(collection: Resource, context: OperationContext): Promise<void> {
  // A grant that lost the last of its collections would reach all of them; an origin without its collection is none
  await refuseUsed(collection, context, ['grants', 'origins', 'guardrails'])
  await refuseGuarded(collection, context)
  for (const user of await context.whole.usersOf(collection.id)) await unassign(user, collection.id, context)
}

/** Guardrails of single proxies, which go with the collection. */
async function refuseGuarded(collection: Resource, context: OperationContext): Promise<void> {
  const guardrails = await context.whole.all('guardrails')
  const named = new Set(guardrails.flatMap(({ spec }) => spec.scope.proxies))
  if (named.size === 0) return
  for (const proxy of await context.whole.all('proxies', collection.id))
    if (named.has(proxy.id)) await refuseUsed(proxy, context, ['guardrails'])
}

async function unassign(user: Resource, id: string, context: OperationContext): Promise<void> {
  // Of what refers to a collection without being below it, only clients and profiles are left, each by a list.
  const collections = (user.spec['collections'] as readonly string[]).filter((one) => one !== id)
  await context.change.replace(user, { spec: { ...user.spec, collections } })
}

const publish = publishOf(
  collectionKind,
  { cascade: z.boolean().default(false).describe('Also publish or unpublish all its proxies') },
  async (collection, input, context) => {
    if (input['cascade'] !== true) return
    context.require('proxies:publish')
    const status = input['status'] === 'draft' ? 'draft' : 'published'
    for (const proxy of await context.whole.all('proxies', collection.id))
      await setStatus(proxyKind, proxy, status, context)
  },
)

export const collectionOperations = { ...standardOf(collectionKind, detach), publish }

/** Refuses TLS settings of an upstream that is called without TLS. */
function refuseUselessTls({ upstream }: CollectionSpec): void {
  if (upstream?.tls == null || upstream.targets.every(({ url }) => url.startsWith('https:'))) return
  throw refuse('input_invalid', {
    detail: 'TLS settings are for https targets.',
    errors: [{ pointer: '/upstream/tls', reason: 'the target is http' }],
  })
}

/** Warns of an upstream that is not verified, and of authorities that have ended or soon will. */
function warnOfTls({ spec }: Resource<'collections'>, { clock }: OperationContext): Warning[] {
  // Earlier versions had no TLS settings
  const tls = spec.upstream?.tls ?? null
  if (tls === null) return []
  const warnings: Warning[] = []
  if (!tls.verify)
    warnings.push({
      pointer: '/upstream/tls/verify',
      reason:
        'the certificate of the upstream is not checked, so an attacker on the network can read calls and respond to them',
    })
  for (const { validToDate } of tls.ca === null ? [] : certificatesOf(tls.ca))
    warnings.push(...endWarnings('/upstream/tls/ca', validToDate.toISOString(), clock.now()))
  return warnings
}

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
    name: Name.optional().describe('Default: the name of the collection with (copy)'),
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
      .describe('gateway: the base path; upstream: the first upstream server, for an import elsewhere'),
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

export const getCollectionProxies = define({
  resource: 'collections',
  action: 'proxies',
  effect: 'read',
  tool: 'get_collection_proxies',
  group: 'manage_collections',
  summary: 'List the proxies of a collection, oldest first',
  input: z.strictObject({ id: Ref, ...page }),
  output: pageOf(proxyKind.view),
  permission: 'proxies:read',
  refuses: ['not_found'],
  columns: proxyKind.columns,
  ...about(collectionKind),
  handle: async ({ id, limit, cursor }, context) => {
    const collection = await context.find('collections', id)
    const after = cursor === undefined ? {} : { after: fromCursor(cursor, /^prx_[0-9a-z]{26}$/) }
    const found = await context.reader.list({
      type: 'proxies',
      parent: collection.id,
      limit: limit + 1,
      ...after,
    })
    const items = found.slice(0, limit)
    return {
      items: await viewsOf(context.reader, proxyKind, items),
      next_cursor: found.length > limit ? toCursor(items.at(-1)!.id) : null,
    }
  },
})

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

import { z } from 'zod'
import { certificatesOf } from '../../base/crypto/certificate.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { isRefusedHost } from '../../base/net/address.ts'
import { refuse } from '../../base/refusal.ts'
import { CollectionSpec } from '../../model/api/collection.ts'
import { HeaderViews, routingHeaders } from '../../model/api/injected-header.ts'
import { Status } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { endWarnings } from '../credentials/expiry.ts'
import { collectionKeepsApart } from '../credentials/shared-answers.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self, Warning } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { calledBy } from '../engine/refs.ts'
import { publishOf, setStatus, standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'
import { proxyKind } from '../proxies/kind.ts'
import { collectionOverlaps, isWithinPaths } from '../proxies/overlapping-routes.ts'

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
    access: ['teams', 'all_users', 'requestable', 'hide_unassigned'],
    limits: ['policy', 'max_body', 'cors', 'request_validation'],
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
      detail: 'The schemas are not stored here; only an import sets them.',
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
        'the certificate of the upstream is not checked: anybody in between can read calls and answer them',
    })
  for (const { validToDate } of tls.ca === null ? [] : certificatesOf(tls.ca))
    warnings.push(...endWarnings('/upstream/tls/ca', validToDate.toISOString(), clock.now()))
  return warnings
}

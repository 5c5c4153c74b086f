import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { HeaderViews, routingHeaders } from '../../model/api/injected-header.ts'
import { PathPattern, ProxySpec } from '../../model/api/proxy.ts'
import { parameterNames } from '../../model/http-names.ts'
import { HttpMethod, Name, Ref, Slug, Status } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { comparePatterns, overlap, reasonFor } from '../../snapshot/find/precedence.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { proxyKeepsApart } from '../credentials/kind.ts'
import type { OperationContext } from '../engine/context.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { type Kind, type Self, type Warning, writtenSchema } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { calledBy } from '../engine/refs.ts'
import { withHeaderTexts } from '../engine/resource-secrets.ts'
import { publishOf, standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { createResource, draftOf, sourceOf, writtenView } from '../engine/write-resource.ts'
import { warnOfGuardrails } from '../guardrails/kind.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'
import { nodeDestinations, nodeRefs } from '../workflows/destinations.ts'
import { checkWorkflow } from '../workflows/kind.ts'
import { checkContract } from './contract.ts'

export const proxyKind: Kind<'proxies'> = {
  type: 'proxies',
  noun: NOUNS.proxies,
  prefix: 'prx',
  group: 'manage_proxies',
  about: 'A proxy is one route of a collection: methods, a path, and the checks of a request.',
  tools: 'Proxies: the routes (endpoints) of a collection, with methods, path, contract and cache.',
  example: {
    collection: 'orders',
    name: 'Get order',
    methods: ['GET'],
    path: '/v1/orders/{id}',
    status: 'published',
  },
  spec: ProxySpec,
  view: viewSchema(ProxySpec.extend({ headers: HeaderViews }), {}, true),
  columns: ['slug', 'name', 'collection', 'methods', 'path', 'status', 'updated_at'],
  sections: {
    info: [
      'collection',
      'name',
      'slug',
      'description',
      'tags',
      'operation_id',
      'deprecated',
      'kind',
      'status',
    ],
    route: [
      'methods',
      'path',
      'target_path',
      'credential',
      'policy',
      'timeouts',
      'workflow',
      'mcp',
      'streaming',
      'cache',
      'idempotency',
    ],
    headers: ['headers'],
    parameters: ['parameters', 'strict_query'],
    schemas: [
      'request_schema',
      'request_schemas',
      'request_types',
      'request_required',
      'request_validation',
      'response_schema',
      'response_validation',
      'request_example',
      'response_example',
      'contracts',
      'graphql',
    ],
  },
  refs: [
    { field: 'credential', type: 'credentials', words: ['inherit', 'none'] },
    { field: 'policy', type: 'policies' },
    { field: 'workflow', type: 'workflows' },
    ...nodeRefs('workflow'),
  ],
  staged: true,
  filters: {
    status: Status,
    path: z.string().max(1024).describe('The whole path of the proxy'),
    operation_id: z.string().max(256).describe('operationId in the OpenAPI description'),
    policy: z.string().max(130).describe('Id or slug of the policy'),
    workflow: z.string().max(130).describe('Id or slug of the shared workflow'),
  },
  keyOf: (spec) => shapeOf(String(spec['path'])),
  sentTo: (spec) => {
    const headers = routingHeaders(spec.headers)
    return headers.length === 0 ? null : headers
  },
  ...nodeDestinations('workflow'),
  check,
  warn: async (proxy, context) => [
    ...(await proxyOverlaps(proxy, context)),
    ...(await warnOfInactivePolicy(proxy, context)),
    ...(isWebSocket(proxy) ? await warnOfGuardrails(proxy, context) : []),
  ],
}

function isWebSocket({ spec, draft }: Resource): boolean {
  return (draft ?? spec)['kind'] === 'websocket'
}

/** Two paths of the same shape match the same requests. */
function shapeOf(path: string): string {
  return path.replace(/\{[^}]*\}/g, '{}')
}

async function check(fields: ProxySpec, self: Self, context: OperationContext): Promise<void> {
  // Parsed by the exact schema, then references became ids, which are strings too.
  const spec = fields
  checkTarget(spec)
  checkCapability(spec)
  await checkWorkflow(spec, context)
  await checkContract(spec, context)
  await proxyKeepsApart(spec, self, context)
  for (const other of await context.whole.byKey('proxies', shapeOf(spec.path), self.parent)) {
    const theirs = other.spec['methods'] as readonly HttpMethod[]
    const method = other.id === self.id ? undefined : spec.methods.find((one) => theirs.includes(one))
    if (method === undefined) continue
    const called = await calledBy(context.reader, other)
    throw refuse('already_exists', {
      detail: `${method} ${spec.path} is already used by ${called}. Choose another method or path.`,
      errors: [{ pointer: '/path', reason: `already used with ${method} by ${called}` }],
    })
  }
}

function checkCapability({ mcp, methods, kind }: ProxySpec): void {
  const as = mcp?.as ?? 'tool'
  const isRead = as === 'resource' || as === 'prompt'
  if (!isRead || (methods.includes('GET') && kind === 'http')) return
  throw refuse('input_invalid', {
    detail: `/mcp/as: only a proxy of kind http with the method GET can be a ${as}.`,
    errors: [{ pointer: '/mcp/as', reason: `needs kind http and the method GET` }],
  })
}

function checkTarget(spec: ProxySpec): void {
  if (spec.target_path === null) return
  const known = parameterNames(spec.path)
  const unknown = parameterNames(spec.target_path).find((name) => !known.includes(name))
  const reason =
    unknown !== undefined
      ? `the path has no parameter {${unknown}}`
      : spec.target_path.endsWith('/*') && !spec.path.endsWith('/*')
        ? 'ends with /*, and the path does not'
        : null
  if (reason !== null)
    throw refuse('input_invalid', {
      detail: `/target_path: ${reason}.`,
      errors: [{ pointer: '/target_path', reason }],
    })
}

/** A guardrail that lost the last of its proxies would act nowhere. */
function detach(proxy: Resource, context: OperationContext): Promise<void> {
  return refuseUsed(proxy, context, ['guardrails'])
}

export const proxyOperations = { ...standardOf(proxyKind, detach), publish: publishOf(proxyKind) }

export const duplicateProxy = define({
  resource: 'proxies',
  action: 'duplicate',
  effect: 'create',
  tool: 'duplicate_proxy',
  group: proxyKind.group,
  summary: 'Copy a proxy as a draft with another path, other methods or another collection',
  input: z.strictObject({
    id: Ref.describe('The proxy that is copied'),
    collection: Ref.optional().describe('Default: the value of the proxy'),
    path: PathPattern.optional().describe('Default: the value of the proxy'),
    methods: z.array(HttpMethod).min(1).max(7).optional().describe('Default: the values of the proxy'),
    name: Name.optional().describe('Default: the name of the proxy with (copy)'),
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

/** More would only say the same again. */
const WARNINGS_MAX = 10

/** Other routes that fit some of the same paths, and who goes first; see the order in `snapshot/find/precedence.ts`. */
async function proxyOverlaps(proxy: Resource, context: OperationContext): Promise<Warning[]> {
  const { path, methods } = routeOf(proxy)
  const warnings: Warning[] = []
  const collection = (await context.whole.byId('collections', proxy.parent!))!
  const whole = baseOf(collection) + path
  for (const other of await context.reader.all('collections')) {
    const below = other.id !== collection.id && baseOf(other).startsWith(`${baseOf(collection)}/`)
    if (!below || !meets(collection, other)) continue
    if (!overlap(whole, `${baseOf(other)}/*`) && !overlap(whole, baseOf(other))) continue
    warnings.push({
      pointer: '/path',
      reason: `paths below ${baseOf(other)} go to the collection "${other.slug}", whose base path is longer`,
    })
  }
  for (const other of await context.reader.all('proxies', collection.id)) {
    if (warnings.length >= WARNINGS_MAX) break
    const theirs = routeOf(other)
    const order = comparePatterns(path, theirs.path)
    const shared = methods.filter((method) => theirs.methods.includes(method))
    if (other.id === proxy.id || order === 0 || shared.length === 0 || !overlap(path, theirs.path)) continue
    warnings.push({
      pointer: '/path',
      reason:
        order < 0
          ? `takes precedence over ${theirs.path} of "${other.slug}" if both match: ${reasonFor(path, theirs.path)}`
          : `${theirs.path} of "${other.slug}" takes precedence if both match: ${reasonFor(theirs.path, path)}`,
    })
  }
  return warnings
}

/** Collections whose base paths nest with this one. */
export async function collectionOverlaps(
  collection: Resource,
  context: OperationContext,
): Promise<Warning[]> {
  const warnings: Warning[] = []
  for (const other of await context.reader.all('collections')) {
    if (other.id === collection.id || !meets(collection, other)) continue
    if (baseOf(other).startsWith(`${baseOf(collection)}/`))
      warnings.push({
        pointer: '/base_path',
        reason: `paths below ${baseOf(other)} go to the collection "${other.slug}", whose base path is longer`,
      })
    else if (baseOf(collection).startsWith(`${baseOf(other)}/`))
      warnings.push({
        pointer: '/base_path',
        reason: `takes the paths below it from the collection "${other.slug}" at ${baseOf(other)}`,
      })
  }
  return warnings.slice(0, WARNINGS_MAX)
}

function routeOf({ spec }: Resource): { path: string; methods: readonly HttpMethod[] } {
  // Stored specs were parsed by the schema of proxies.
  return { path: String(spec['path']), methods: spec['methods'] as readonly HttpMethod[] }
}

function baseOf({ spec }: Pick<Resource, 'spec'>): string {
  return String(spec['base_path'])
}

/** Some request that fits both collections goes to the first: its base path is as long or longer. */
export function isWithinPaths(first: Resource['spec'], second: Resource['spec']): boolean {
  const [base, other] = [baseOf({ spec: first }), baseOf({ spec: second })]
  return (base === other || base.startsWith(`${other}/`)) && meets({ spec: first }, { spec: second })
}

/** Some request may fit the hosts of both. */
function meets(a: Pick<Resource, 'spec'>, b: Pick<Resource, 'spec'>): boolean {
  const mine = (a.spec['hosts'] ?? []) as readonly string[]
  const theirs = (b.spec['hosts'] ?? []) as readonly string[]
  return mine.length === 0 || theirs.length === 0 || mine.some((host) => theirs.includes(host))
}

import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { HeaderViews, routingHeaders } from '../../model/api/injected-header.ts'
import { ProxySpec } from '../../model/api/proxy.ts'
import { parameterNames } from '../../model/http-names.ts'
import { type HttpMethod, Status } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { proxyKeepsApart } from '../credentials/shared-answers.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { calledBy } from '../engine/refs.ts'
import { publishOf, standardOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { warnOfGuardrails } from '../guardrails/kind.ts'
import { warnOfInactivePolicy } from '../policies/kind.ts'
import { nodeDestinations, nodeRefs } from '../workflows/destinations.ts'
import { checkWorkflow } from '../workflows/of-proxy.ts'
import { checkContract } from './contract.ts'
import { proxyOverlaps } from './overlapping-routes.ts'

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
      detail: `${method} ${spec.path} is answered by ${called} already.`,
      errors: [{ pointer: '/path', reason: `taken with ${method} by ${called}` }],
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

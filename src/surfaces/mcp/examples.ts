import { slugOf } from '../../model/members.ts'
import { isResourceType } from '../../model/resource-types.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { kindOf } from '../../operations/kinds.ts'
import { nameOf } from '../route.ts'
import { type Property, publishInput } from './published.ts'

type Members = Readonly<Record<string, unknown>>

const NEW_LIMIT = { name: 'minute', kind: 'rate', max: 100, window: '1m' }
const DOCUMENT = {
  apiVersion: 'postern/v1',
  kind: 'Policy',
  metadata: { slug: 'gold' },
  spec: { name: 'Gold', limits: [NEW_LIMIT] },
}
const DAY = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' }

/** Examples by operation, where one that holds only what is required would teach too little. What makes a resource has that of its kind. */
const EXAMPLES: Readonly<Record<string, Members>> = {
  'collections.update': { id: 'orders', description: 'Orders of all shops' },
  'collections.publish': { id: 'orders' },
  'collections.import': {
    document: {
      openapi: '3.1.0',
      info: { title: 'Orders', version: '1' },
      paths: { '/v1/orders': { get: { responses: { 200: { description: 'OK' } } } } },
    },
    base_path: '/orders',
    upstream: 'https://orders.internal.example',
  },
  'proxies.bulk_update': { filter: { collection: 'orders' }, changes: { policy: 'gold' } },
  'policies.update': { id: 'gold', limits: [NEW_LIMIT] },
  'policies.toggle': { id: 'gold', active: false },
  'origins.probe': { definition: { url: 'https://mcp.example.com/mcp' } },
  'guardrails.test': { guardrail: 'mask-cards', sample: '{"card":"4111 1111 1111 1111"}' },
  'guardrails.update': { id: 'mask-cards', mode: 'observe' },
  'guardrails.toggle': { id: 'mask-cards', active: false },
  'clients.toggle': { id: 'acme', active: false },
  'clients.assignments': { id: 'acme', add: ['orders'] },
  'profiles.toggle': { id: 'acme:live', active: false },
  'profiles.rotate': { id: 'acme:live', overlap: '24h' },
  'profiles.access': { id: 'acme:live', endpoint: 'GET /orders/v1/orders/7' },
  'users.toggle': { id: 'ann', active: false },
  'users.offboard': { id: 'ann', confirm: 'ann' },
  'service_identities.toggle': { id: 'ci', active: false },
  'bindings.toggle': { id: 'nightly', active: false },
  'hosts.toggle': { id: 'claude', active: false },
  'revisions.rollback': { id: '41', confirm: '41' },
  'config.plan': { documents: [DOCUMENT] },
  'config.apply': { documents: [DOCUMENT] },
  'config.diff_config': { documents: [DOCUMENT] },
  'audit.list': { action: 'DELETE', ...DAY },
  'records.list': { client: 'acme', status: '429', limit: 10 },
  'requests.explain': { method: 'GET', target: '/orders/v1/orders/7', client: 'acme' },
  'workflows.start_capture': { proxy: 'orders:get-order', match: { method: 'POST' }, ttl: '10m' },
  'exports.create': { of: 'records', format: 'csv', ...DAY },
}

/** Values by name of a member, where the operation has no example of its own. */
const SAMPLES: Readonly<Record<string, unknown>> = {
  name: 'Example',
  slug: 'example',
  description: 'What people read about it',
  base_path: '/orders',
  collection: 'orders',
  collections: ['orders'],
  client: 'acme',
  profile: 'acme:live',
  proxies: ['orders:get-order'],
  method: 'GET',
  methods: ['GET'],
  path: '/v1/orders/{id}',
  from: '41',
}

/** Ids by plural noun. */
const IDS: Readonly<Record<string, string>> = {
  collections: 'orders',
  proxies: 'orders:get-order',
  clients: 'acme',
  profiles: 'acme:live',
  policies: 'gold',
  guardrails: 'mask-cards',
  credentials: 'orders-key',
  revisions: '41',
  access_requests: 'acr_01kn0000000000000000000000',
}

/** Arguments that the schema of an operation accepts. Members that a caller would rarely need are not in them. */
export function exampleOf(operation: Operation): Members {
  const own = EXAMPLES[nameOf(operation)]
  const { properties, required = [] } = publishInput(operation.input)
  const made =
    own ??
    ofKind(operation) ??
    Object.fromEntries(
      required.map((name) => [
        name,
        name === 'id' ? (IDS[operation.resource] ?? 'example') : sampleOf(name, properties[name] ?? {}),
      ]),
    )
  const confirms = operation.effect === 'delete' && !Object.hasOwn(made, 'confirm')
  return {
    ...made,
    ...(own === undefined && operation.action === 'update' ? changeOf(properties) : {}),
    ...(confirms ? { confirm: String(made['id'] ?? 'example').replace(/^.*:/, '') } : {}),
  }
}

/** The example of a kind as what makes one of it; null for other operations. */
function ofKind({ resource, action }: Operation): Members | null {
  if (!isResourceType(resource)) return null
  const { example } = kindOf(resource)
  if (action === 'create') return example
  return action === 'put' ? { id: slugOf(example.name), ...example } : null
}

/** One member that an update may change. */
function changeOf(properties: Readonly<Record<string, Property>>): Members {
  const name = ['name', 'description'].find((one) => Object.hasOwn(properties, one))
  return name === undefined ? {} : { [name]: SAMPLES[name] }
}

function sampleOf(name: string, schema: Property): unknown {
  if (Object.hasOwn(SAMPLES, name)) return SAMPLES[name]
  if ('const' in schema) return schema['const']
  if ('default' in schema) return schema['default']
  const {
    enum: choices,
    anyOf,
    oneOf,
    items,
    properties,
    required,
    minimum,
    format,
  } = schema as {
    readonly enum?: readonly unknown[]
    readonly anyOf?: readonly Property[]
    readonly oneOf?: readonly Property[]
    readonly items?: Property
    readonly properties?: Readonly<Record<string, Property>>
    readonly required?: readonly string[]
    readonly minimum?: number
    readonly format?: string
  }
  if (choices !== undefined) return choices[0]
  const first = (anyOf ?? oneOf)?.find(({ type }) => type !== 'null')
  if (first !== undefined) return sampleOf(name, first)
  switch (schema['type']) {
    case 'integer':
    case 'number':
      return minimum ?? 1
    case 'boolean':
      return true
    case 'array':
      return items === undefined ? [] : [sampleOf('', items)]
    case 'object':
      return Object.fromEntries(
        (required ?? []).map((member) => [member, sampleOf(member, properties?.[member] ?? {})]),
      )
    default:
      return format === undefined ? 'example' : (BY_FORMAT[format] ?? 'example')
  }
}

const BY_FORMAT: Readonly<Record<string, string>> = {
  'date-time': '2026-01-01T00:00:00Z',
  email: 'ann@example.com',
  uri: 'https://example.com',
}

/** A gateway port with two collections, for tests of the door in front of it. It judges nothing but the token. */

import type { ByteBudget } from '../../src/base/memory/bytes.ts'
import { NOWHERE } from '../../src/gateway/forward/connected.ts'
import type {
  Caller,
  Endpoint,
  GatewayPort,
  InnerAnswer,
  InnerCall,
  MessageOutcome,
} from '../../src/gateway/port.ts'
import type { HttpMethod } from '../../src/model/members.ts'
import type { CollectionFragment, Contract } from '../../src/snapshot/fragments.ts'
import {
  client as clientFragment,
  collection as collectionFragment,
  profile as profileFragment,
  proxy as proxyFragment,
} from '../gateway/fragments.ts'
import { NO_BOUND } from '../wire/peers.ts'

export const TOKEN = 'good-token'
export const OTHER_TOKEN = 'other-token'

export interface FakeGateway extends GatewayPort {
  /** The calls that reached it. */
  readonly calls: InnerCall[]
  /** What it was told of messages; null for one that led to a call. */
  readonly messages: (MessageOutcome | null)[]
  /** What it answers. */
  reply: (call: InnerCall) => Partial<InnerAnswer>
  refused: boolean
  /** Where it counts what is kept. */
  memory: ByteBudget
}

export function collection(slug: string, name: string, basePath: string): CollectionFragment {
  const description = `All about ${slug}.\n\nMore text.`
  const given = { name, description, base_path: basePath, body_bytes_max: 1024, upstream: null, proxies: [] }
  return collectionFragment(slug, given)
}

export function endpointOf(
  of: CollectionFragment,
  slug: string,
  name: string,
  methods: readonly HttpMethod[],
  path: string,
  tags: readonly string[] = [],
): Endpoint {
  const fragment = proxyFragment(slug, path, { name, tags, methods })
  return { collection: of, proxy: fragment, methods, path: of.base_path + path }
}

function callerOf(profile: string): Caller {
  const fragment = profileFragment(profile, { auth: 'token' })
  const client = clientFragment('acme', { name: 'Acme', collections: [], profiles: [fragment] })
  return {
    client,
    profile: fragment,
    credentialId: 'key_1',
    subject: '',
    agentHost: '',
    claims: new Map(),
    signIn: null,
    bearer: '',
    ip: '127.0.0.1',
  }
}

const orders = collection('orders', 'Orders', '/orders')
const files = collection('files', 'Files', '/files')

export const ENDPOINTS: readonly Endpoint[] = [
  endpointOf(files, 'read-file', 'Read file', ['GET'], '/v1/raw/*'),
  endpointOf(orders, 'list-orders', 'List orders', ['GET'], '/v1/orders', ['orders', 'read']),
  endpointOf(orders, 'create-order', 'Create order', ['POST'], '/v1/orders', ['orders']),
  endpointOf(orders, 'search-orders', 'Search orders', ['GET'], '/v1/orders/search', ['orders', 'read']),
  endpointOf(orders, 'get-order', 'Get order', ['GET'], '/v1/orders/{id}', ['orders', 'read']),
  endpointOf(orders, 'change-order', 'Change order', ['PUT', 'PATCH'], '/v1/orders/{id}', ['orders']),
  endpointOf(orders, 'cancel-order', 'Cancel order', ['POST'], '/v1/orders/{id}:cancel', ['orders']),
]

const parameter = { type: 'string', required: false, description: '' } as const

export const CONTRACTS: Readonly<Record<string, Contract>> = {
  'prx_list-orders': {
    description: 'Lists orders.',
    operation_id: 'listOrders',
    parameters: [
      { ...parameter, name: 'limit', in: 'query', type: 'integer', min: 1 },
      { ...parameter, name: 'status', in: 'query', required: true, enum: ['open', 'shipped'] },
      { ...parameter, name: 'X-Tenant', in: 'header' },
    ],
    request_types: [],
    request_required: true,
    request_schema: null,
    response_schema: { type: 'array', items: { $ref: '#/$defs/Order' } },
  },
  'prx_get-order': {
    description: 'Gets one order.',
    operation_id: 'getOrder',
    parameters: [
      { ...parameter, name: 'id', in: 'path', required: true, description: 'Number of the order' },
      { ...parameter, name: 'id', in: 'query' },
      { ...parameter, name: 'expand', in: 'query', type: 'array' },
    ],
    request_types: [],
    request_required: true,
    request_schema: null,
    response_schema: { $ref: '#/$defs/Order' },
  },
  'prx_create-order': {
    description: 'Creates an order.',
    operation_id: 'createOrder',
    parameters: [],
    request_types: [],
    request_required: true,
    request_schema: {
      type: 'object',
      required: ['sku', 'lines'],
      properties: {
        sku: { type: 'string' },
        note: { type: 'string' },
        lines: {
          type: 'array',
          items: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } },
        },
      },
    },
    response_schema: null,
  },
}

export function fakeGateway(): FakeGateway {
  const acme = callerOf('sandbox')
  const other = callerOf('other')
  const gateway: FakeGateway = {
    ready: true,
    calls: [],
    messages: [],
    refused: false,
    memory: NO_BOUND,
    reply: () => ({}),
    virtualMcp: () => null,
    onApplied: () => () => {},
    origin: () => null,
    askWebhook: () => async () => ({ kind: 'pass' }),
    connectionOf: () => NOWHERE,
    askOrigin: () => Promise.reject(new Error('no origin is asked')),
    readOrigin: () => ({ abort() {} }),
    standingOf: () => [],
    holderOf: ({ client }) => client.id,
    policySubject: ({ client, profile }) => ({
      client: { id: client.id, slug: client.id },
      profile: { id: profile.id, slug: profile.id },
      user: null,
      claims: {},
    }),
    identify(incoming) {
      const authorization = incoming.taken[0]
      if (authorization === undefined)
        return { ok: false, code: 'credentials_missing', detail: 'Send a token.', retryAfterMs: null }
      if (gateway.refused)
        return { ok: false, code: 'profile_inactive', detail: 'The profile is off.', retryAfterMs: null }
      if (authorization === `Bearer ${TOKEN}`) return { ok: true, caller: acme }
      if (authorization === `Bearer ${OTHER_TOKEN}`) return { ok: true, caller: other }
      return { ok: false, code: 'credential_invalid', detail: 'Not a token.', retryAfterMs: null }
    },
    message: (_incoming, outcome) => void gateway.messages.push(outcome),
    budget: () => gateway.memory,
    admitDiscovery: () => 0,
    endpoints: () => ENDPOINTS,
    contractFaults: () => [],
    contract(endpoint) {
      const contract = CONTRACTS[endpoint.proxy.id]
      return contract === undefined
        ? null
        : { contract, schemas: { Order: { type: 'object', properties: { id: { type: 'string' } } } } }
    },
    policies: () => [
      {
        attachedTo: 'client',
        policy: {
          kind: 'policy',
          id: 'pol_gold',
          slug: 'gold',
          active: true,
          limits: [{ name: 'minute', kind: 'rate', max: 1000, window_ms: 60_000 }],
        },
      },
    ],
    giveUpWith() {},
    reserve: () => ({ ...gateway.memory, release() {} }),
    call(call, done) {
      gateway.calls.push(call)
      const body = Buffer.from(JSON.stringify({ method: call.method, target: call.target }))
      done({
        requestId: 'req_inner',
        status: 200,
        fields: 'content-type: application/json\r\nx-secret: no\r\netag: "1"\r\n',
        body,
        bodyBytes: body.length,
        truncated: false,
        durationMs: 1.23456,
        code: null,
        ...gateway.reply(call),
      })
      return { abort() {}, park() {} }
    },
  }
  return gateway
}

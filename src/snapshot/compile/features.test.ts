import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CollectionSpec } from '../../model/api/collection.ts'
import { ProxySpec } from '../../model/api/proxy.ts'
import { linkCollection } from '../link/collection.ts'
import { compileCollection, compileContracts } from './compile.ts'

const collection = CollectionSpec.parse({ name: 'Orders', base_path: '/orders' })
const PROXY = { collection: 'col_1', name: 'List', methods: ['GET'], path: '/v1/{id}', status: 'published' }

const compiled = (spec: ProxySpec, of: CollectionSpec = collection) =>
  compileCollection({ id: 'col_1', slug: 'orders', spec: of }, [{ id: 'prx_1', slug: 'list', spec }])

const NEWER_PROXY = [
  'kind',
  'streaming',
  'strict_query',
  'request_types',
  'request_required',
  'request_validation',
  'response_validation',
  'contracts',
  'cache',
  'idempotency',
  'graphql',
]

/** As an earlier version stored it. */
function without<T extends object>(spec: T, names: readonly string[]): T {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => !names.includes(name))) as T
}

test('what an earlier version stored compiles to what the defaults give', () => {
  const spec = ProxySpec.parse({ ...PROXY, request_schema: { type: 'object' } })
  const older = without(spec, NEWER_PROXY)
  const olderCollection = without(collection, ['cors', 'request_validation', 'response_validation'])
  assert.deepEqual(compiled(older, olderCollection), compiled(spec))
  const contracts = (one: ProxySpec) =>
    compileContracts({ id: 'col_1', slug: 'orders', spec: collection }, [
      { id: 'prx_1', slug: 'list', spec: one },
    ])
  assert.deepEqual(contracts(older), contracts(spec))
})

test('a proxy that asks for nothing has no steps at run time', () => {
  const [proxy] = compiled(ProxySpec.parse(PROXY)).proxies
  assert.deepEqual([proxy!.contract, proxy!.features], [null, null])
  const described = ProxySpec.parse({
    ...PROXY,
    parameters: [{ name: 'id', in: 'path', required: true }],
    response_schema: {},
    response_validation: 'off',
  })
  const [quiet] = compiled(described).proxies
  assert.deepEqual([quiet!.contract, quiet!.features], [null, null])
})

test('the mode is that of the proxy, or else of the collection', () => {
  const spec = ProxySpec.parse({ ...PROXY, request_schema: {} })
  const mode = (
    request_validation: ProxySpec['request_validation'],
    of: CollectionSpec['request_validation'],
  ) =>
    compiled({ ...spec, request_validation }, { ...collection, request_validation: of }).proxies[0]!.contract
      ?.mode
  assert.equal(mode('inherit', 'enforce'), 'enforce')
  assert.equal(mode('inherit', 'report'), 'report')
  assert.equal(mode('inherit', 'off'), undefined)
  assert.equal(mode('off', 'enforce'), undefined)
  assert.equal(mode('enforce', 'off'), 'enforce')
})

test('answers are looked at by the mode of the proxy, or else of the collection, where there is a schema for them', () => {
  const mode = (proxy: Partial<ProxySpec>, of: CollectionSpec['response_validation']) =>
    compiled(ProxySpec.parse({ ...PROXY, ...proxy }), { ...collection, response_validation: of }).proxies[0]!
      .features?.response_validation
  assert.equal(mode({ response_schema: {} }, 'report'), 'report')
  assert.equal(mode({ response_schema: {} }, 'enforce'), 'enforce')
  assert.equal(mode({ response_schema: {}, response_validation: 'off' }, 'enforce'), undefined)
  assert.equal(mode({ response_schema: {}, response_validation: 'enforce' }, 'off'), 'enforce')
  assert.equal(mode({ contracts: { GET: { response_schema: {} } } }, 'report'), 'report')
  assert.equal(mode({}, 'report'), undefined)
})

test('cross-origin rules are linked, and credentials never go to every origin', () => {
  const cors = {
    origins: ['https://a.example', 'https://*.b.example:8443'],
    methods: [],
    headers: ['X-A'],
    expose: [],
    credentials: true,
    max_age: '1h',
  }
  const fragment = compiled(ProxySpec.parse(PROXY), { ...collection, cors })
  const linked = linkCollection(fragment).cors!
  assert.match(linked.preflight, /^Access-Control-Allow-Credentials: true\r\n/)
  assert.match(linked.preflight, /Access-Control-Max-Age: 3600\r\n$/)
  assert.deepEqual(linked.below, [['https://', '.b.example:8443']])
  const all = { ...fragment, cors: { ...fragment.cors!, origins: ['*'] } }
  assert.throws(() => linkCollection(all), RangeError)
  assert.equal(
    CollectionSpec.safeParse({ name: 'x', base_path: '/x', cors: { ...cors, origins: ['*'] } }).success,
    false,
  )
  for (const origin of [
    'null',
    'https://a.example/',
    'https://*',
    'ftp://a',
    'https://a.*.example',
    'https://A.example',
  ])
    assert.equal(
      CollectionSpec.safeParse({ name: 'x', base_path: '/x', cors: { origins: [origin] } }).success,
      false,
      origin,
    )
})

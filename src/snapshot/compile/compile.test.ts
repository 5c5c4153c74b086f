import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientSpec, ProfileSpec } from '../../model/access/profile.ts'
import { CollectionSpec } from '../../model/api/collection.ts'
import { PolicySpec } from '../../model/api/policy.ts'
import { ProxySpec } from '../../model/api/proxy.ts'
import type { Contracts } from '../fragments.ts'
import {
  compileClient,
  compileCollection,
  compileContracts,
  compileCredential,
  compilePolicy,
} from './compile.ts'

const collection = (url: string) => ({
  id: 'col_1',
  slug: 'orders',
  spec: CollectionSpec.parse({ name: 'Orders', base_path: '/orders', upstream: { targets: [{ url }] } }),
})

const proxy = (id: string, more: object) => ({
  id,
  slug: id,
  spec: ProxySpec.parse({ collection: 'col_1', name: id, methods: ['GET'], path: `/${id}`, ...more }),
})

test('an upstream is taken apart once: scheme, host without brackets, port, path without its last slash', () => {
  const cases = [
    ['http://127.0.0.1:9000', ['http', '127.0.0.1', 9000, '', '127.0.0.1:9000']],
    ['https://api.test/v1/', ['https', 'api.test', 443, '/v1', 'api.test']],
    ['http://[::1]:81/a/b', ['http', '::1', 81, '/a/b', '[::1]:81']],
    ['http://API.test', ['http', 'api.test', 80, '', 'api.test']],
  ] as const
  for (const [url, expected] of cases) {
    const upstream = compileCollection(collection(url), []).upstream!
    assert.deepEqual(
      [upstream.scheme, upstream.host, upstream.port, upstream.path, upstream.authority],
      expected,
    )
    assert.deepEqual([upstream.connect_ms, upstream.first_byte_ms, upstream.idle_ms], [2000, 30_000, 60_000])
  }
})

test('drafts are in neither routes nor contracts', () => {
  const proxies = [
    proxy('a', { status: 'published', description: 'A', request_example: { x: 1 } }),
    proxy('b', {}),
  ]
  const fragment = compileCollection(collection('http://a.test'), proxies)
  assert.deepEqual(
    fragment.proxies.map((one) => one.id),
    ['a'],
  )
  const contracts = JSON.parse(compileContracts(collection('http://a.test'), proxies).json) as Contracts
  assert.deepEqual(Object.keys(contracts), ['a'])
  assert.deepEqual(contracts['a']?.request_example, { x: 1 })
  assert.equal('response_example' in contracts['a']!, false)
})

test('times become milliseconds, and a profile without tokens by its type has none', () => {
  const spec = ClientSpec.parse({ name: 'A', valid_until: '2030-01-01T00:00:00Z' })
  const token = { id: 'key_1', lookup: 'l', hash: 'h', expires_at: null, retires_at: null }
  const profile = (auth: object) => ({
    id: 'pro_1',
    slug: 'p',
    spec: ProfileSpec.parse({ client: 'cli_1', name: 'P', auth }),
    tokens: [token],
    secrets: [],
  })
  const client = { id: 'cli_1', slug: 'a', spec }
  const none = compileClient(client, [profile({ type: 'none' })])
  assert.equal(none.valid_until, Date.UTC(2030, 0, 1))
  assert.deepEqual(none.profiles[0]?.tokens, [])
  assert.deepEqual(compileClient(client, [profile({ type: 'token' })]).profiles[0]?.tokens, [token])
  const limits = [{ name: 'day', kind: 'quota', max: 5, window: '1d' }]
  const policy = compilePolicy({ id: 'pol_1', slug: 'p', spec: PolicySpec.parse({ name: 'P', limits }) })
  assert.equal(policy.limits[0]?.window_ms, 86_400_000)
})

test('a credential is its plain settings and its ciphertexts', () => {
  const spec = { auth: { type: 'api_key' as const, in: 'header', name: 'X-Key', prefix: '' } }
  const fragment = compileCredential({ id: 'crd_1', slug: 'c', spec }, { key: 'v1.k.x' })
  assert.deepEqual(fragment.settings, { in: 'header', name: 'X-Key', prefix: '' })
  assert.deepEqual(fragment.sealed, { key: 'v1.k.x' })
})

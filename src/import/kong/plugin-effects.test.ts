import assert from 'node:assert/strict'
import { test } from 'node:test'
import { specOf } from '../../../test/support/converted.ts'
import { isOpen, one, openProxies } from '../../../test/support/converted-kong.ts'
import type { Plain } from '../../base/json/storable.ts'

test('a limit is carried over where one counter counts the same calls', () => {
  const plugins = [
    { name: 'rate-limiting', config: { minute: 100, day: 5000, policy: 'redis', redis: { host: 'r' } } },
  ]
  const limits = [
    { name: 'minute', max: 100, kind: 'rate', window: '1m' },
    { name: 'day', max: 5000, kind: 'quota', window: '1d' },
  ]
  const single = one({ plugins })
  assert.equal(specOf(single, 'collection', 's')['policy'], 's-limit')
  assert.deepEqual(specOf(single, 'policy', 's-limit')['limits'], limits)
  const ofRoute = one({}, {}, { plugins })
  assert.equal(specOf(ofRoute, 'collection', 's')['policy'], 'r-limit')
  // A counter for each path, or for each of two proxies, would let more through
  assert.ok(!isOpen(one({ plugins }, {}, { paths: ['/a', '/b'] }), '/a'))
  const two = [
    { name: 'r', paths: ['/a'], methods: ['GET'], plugins },
    { name: 'other', paths: ['/a'], methods: ['POST'] },
  ]
  assert.deepEqual(openProxies(one({ routes: two })), ['other', 'other-all'])
  // What counts consumers over everything is the policy of each client
  const shared = one({}, { plugins }, { paths: ['/a', '/b'] })
  assert.ok(isOpen(shared, '/a') && isOpen(shared, '/b'))
  assert.equal(specOf(shared, 'client', 'c')['policy'], 'services-limit')
  const byAddress = [{ name: 'rate-limiting', config: { minute: 1, limit_by: 'ip' } }]
  assert.ok(!isOpen(one({}, { plugins: byAddress }, { paths: ['/a', '/b'] }), '/a'))
  const keyed = specOf(one({ plugins: byAddress }), 'policy', 's-limit')['limits'] as Plain[]
  assert.equal(keyed[0]!['key'], 'ip')
})

test('the plugin that is closest to a route is the one in force', () => {
  const size = (megabytes: number): Plain => ({
    name: 'request-size-limiting',
    config: { allowed_payload_size: megabytes },
  })
  const made = one({ plugins: [size(2)] }, { plugins: [size(9)] })
  assert.equal(specOf(made, 'collection', 's')['max_body'], 2 * 1024 ** 2)
  const bytes = { name: 'request-size-limiting', config: { allowed_payload_size: 512, size_unit: 'bytes' } }
  assert.equal(specOf(one({ plugins: [bytes] }), 'collection', 's')['max_body'], 512)
  const routes = [
    { name: 'small', paths: ['/a'], methods: ['POST'], plugins: [size(1)] },
    { name: 'other', paths: ['/a'], methods: ['GET'] },
  ]
  assert.deepEqual(openProxies(one({ routes })), ['other', 'other-all'])
})

test('CORS allows no more than before, or is left out', () => {
  const cors = (config: Plain): unknown =>
    specOf(one({ plugins: [{ name: 'cors', config }] }), 'collection', 's')['cors']
  assert.deepEqual(
    cors({
      origins: ['https://a.example'],
      methods: ['GET', 'TRACE'],
      headers: ['X-A'],
      exposed_headers: ['X-B'],
    }),
    {
      origins: ['https://a.example'],
      methods: ['GET'],
      headers: ['X-A'],
      expose: ['X-B'],
      max_age: '5s',
    },
  )
  for (const config of [
    { origins: ['*'], credentials: true },
    { credentials: true },
    { origins: ['https://.*[.]example[.]com'] },
    { origins: [] },
    { origins: ['https://a.example'], methods: ['TRACE'] },
    { origins: ['https://a.example'], preflight_continue: true },
    { origins: ['https://a.example'], private_network: true },
    { origins: ['https://a.example'], headers: ['not a name'] },
  ])
    assert.equal(cors(config), undefined, JSON.stringify(config))
  const own = { name: 'cors', config: { origins: ['https://narrow.example'] } }
  const wide = { name: 'cors', config: { origins: ['*'] } }
  const routes = [
    { name: 'r', paths: ['/a'], methods: ['GET'], plugins: [own] },
    { name: 'q', paths: ['/a'], methods: ['POST'] },
  ]
  assert.equal(specOf(one({ routes, plugins: [wide] }), 'collection', 's')['cors'], undefined)
})

test('a name that every object has is no configuration and no unit', () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const preset = { name: 'rate-limiting', _config: name, config: { minute: 5 } }
    assert.ok(!isOpen(one({ plugins: [preset] }, { _plugin_configs: {} }), '/a'), `_config ${name}`)
    const size = { name: 'request-size-limiting', config: { allowed_payload_size: 1, size_unit: name } }
    assert.ok(!isOpen(one({ plugins: [size] }), '/a'), `size_unit ${name}`)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { refused, startControl } from '../../../test/control.ts'
import { judged, specOf } from '../../../test/support/converted.ts'
import { NO_TEXT, withEachReplaced, withReplaced } from '../../../test/support/replaced.ts'
import type { Plain } from '../../base/plain.ts'
import type { Converted } from './converted.ts'
import { fromKong, isKong } from './kong.ts'

const KONG = {
  _format_version: '3.0',
  services: [
    {
      name: 'orders',
      host: 'orders-pool',
      port: 8080,
      protocol: 'http',
      path: '/api',
      connect_timeout: 3000,
      read_timeout: 20000,
      routes: [
        { name: 'orders-read', paths: ['/orders'], methods: ['GET', 'HEAD'], hosts: ['api.example.com'] },
        { name: 'orders-write', paths: ['/orders'], methods: ['POST', 'GET'], hosts: ['api.example.com'] },
        {
          name: 'raw',
          paths: ['/raw/'],
          strip_path: false,
          plugins: [{ name: 'rate-limiting', config: { second: 5 } }],
        },
        { name: 'pattern', paths: ['~/v\\d+/x', '/'] },
      ],
      plugins: [{ name: 'key-auth' }, { name: 'request-size-limiting', config: { allowed_payload_size: 2 } }],
    },
    { name: 'broken', routes: [{ name: 'r', paths: ['/b'] }] },
  ],
  upstreams: [
    {
      name: 'orders-pool',
      targets: [
        { target: '10.0.0.1:8080', weight: 100 },
        { target: '10.0.0.2:8080', weight: 50 },
      ],
    },
  ],
  plugins: [
    { name: 'cors', config: { origins: ['https://app.example.com'], credentials: true, max_age: 600 } },
    { name: 'rate-limiting', service: 'orders', config: { minute: 100, day: 5000, policy: 'local' } },
    { name: 'prometheus' },
  ],
  consumers: [
    {
      username: 'acme',
      keyauth_credentials: [{ key: 'PLANTED-SECRET' }],
      acls: [{ group: 'gold' }],
      plugins: [{ name: 'rate-limiting', config: { hour: 10 } }],
    },
  ],
}

const converted = (document: Plain): Converted => judged(fromKong(document))

test('services and routes become collections and proxies, plugins what they have a counterpart in', () => {
  assert.ok(isKong(KONG))
  const made = converted(KONG)
  const orders = specOf(made, 'collection', 'orders')
  assert.deepEqual(
    [orders['base_path'], orders['hosts'], orders['max_body'], orders['policy']],
    ['/orders', ['api.example.com'], 2 * 1024 ** 2, 'orders-limit'],
  )
  assert.deepEqual(orders['upstream'], {
    targets: [
      { url: 'http://10.0.0.1:8080/api', weight: 100 },
      { url: 'http://10.0.0.2:8080/api', weight: 50 },
    ],
    timeouts: { connect: '3000ms', first_byte: '20000ms' },
  })
  assert.deepEqual(orders['cors'], {
    origins: ['https://app.example.com'],
    credentials: true,
    max_age: '600s',
  })
  assert.deepEqual(
    made.documents
      .filter(({ kind, spec }) => kind === 'proxy' && spec['collection'] === 'orders')
      .map(({ slug, spec }) => [slug, spec['methods'], spec['path']]),
    [
      ['orders-read', ['GET', 'HEAD'], '/'],
      ['orders-read-all', ['GET', 'HEAD'], '/*'],
      ['orders-write', ['POST'], '/'],
      ['orders-write-all', ['POST'], '/*'],
    ],
  )
  assert.deepEqual(specOf(made, 'policy', 'orders-limit')['limits'], [
    { name: 'minute', max: 100, kind: 'rate', window: '1m' },
    { name: 'day', max: 5000, kind: 'quota', window: '1d' },
  ])
})

test('a path that is not stripped goes to the upstream as it came', () => {
  const made = converted(KONG)
  const proxies = made.documents.filter(({ slug }) => slug === 'raw' || slug === 'raw-all')
  assert.deepEqual(
    proxies.map(({ spec }) => [spec['path'], spec['target_path'], spec['policy']]),
    [
      ['/', '/raw', 'raw-limit'],
      ['/*', '/raw/*', 'raw-limit'],
    ],
  )
})

test('consumers become clients with a profile of type token, without their keys', () => {
  const made = converted(KONG)
  const { collections, policy } = specOf(made, 'client', 'acme')
  assert.deepEqual([collections, policy], [['orders', 'orders-raw'], 'acme-limit'])
  assert.deepEqual(specOf(made, 'profile', 'token')['auth'], { type: 'token' })
  assert.doesNotMatch(JSON.stringify(made), /PLANTED/)
})

test('what has no counterpart is said', () => {
  const notes = converted(KONG).notes.join('\n')
  for (const part of [
    /path ~\/v\\d\+\/x of route pattern is left out/,
    /path \/ of route pattern is left out/,
    /plugin key-auth is not taken over/,
    /plugin prometheus of the whole is not taken over/,
    /service broken has no usable URL/,
    /keys of consumers are not taken over/,
    /groups of consumer acme are not taken over/,
    /route orders-write is in part left out/,
  ])
    assert.match(notes, part)
})

test('with any one part replaced by anything it becomes documents and notes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(), (value, seed) => {
      const { documents, notes } = fromKong(withReplaced(KONG, value, seed) as Plain)
      const names = documents.map(
        ({ kind, slug, spec }) => `${kind} ${String(spec['collection'] ?? spec['client'] ?? '')}:${slug}`,
      )
      assert.equal(new Set(names).size, names.length)
      for (const note of notes) assert.ok(note.length <= 500)
    }),
    { numRuns: 500 },
  )
})

test('many parts cost what they become, and what would become too much is refused', () => {
  const many = <T>(make: (at: number) => T): T[] => Array.from({ length: 4000 }, (_, at) => make(at))
  const services = many((at) => ({ name: 'same', url: 'http://a', routes: [{ paths: [`/p${at}`] }] }))
  const { documents } = fromKong({ services })
  assert.equal(new Set(documents.map(({ kind, slug }) => `${kind} ${slug}`)).size, 4000 + 2)
  assert.equal(documents.length, 12_000)
  const repeated = [
    { services, plugins: many(() => ({ name: 'rate-limiting', service: 'same' })) },
    { services, plugins: many(() => ({ name: 'cors' })) },
    { services, consumers: many((at) => ({ username: `c${at}` })) },
    {
      services: [
        { url: 'http://a', routes: [{ paths: many((at) => `/p${at}`), hosts: many((at) => `h${at}`) }] },
      ],
    },
  ]
  for (const document of repeated) assert.throws(() => fromKong(document), { code: 'document_invalid' })
  const slashes = fromKong({
    services: [{ url: `http://a${'/'.repeat(1_000_000)}x`, routes: [{ paths: ['/p'] }] }],
  })
  assert.equal(slashes.documents.length, 3)
})

test('with what no text can be made of in any place it becomes documents and notes', () => {
  for (const changed of withEachReplaced(KONG, NO_TEXT)) {
    const document = changed as Plain
    if (isKong(document)) assert.ok(Array.isArray(fromKong(document).documents))
  }
})

test('what comes out is applied as it is', async () => {
  const control = await startControl()
  try {
    const text = `_format_version: "3.0"\nservices: ${JSON.stringify(KONG.services)}\nupstreams: ${JSON.stringify(KONG.upstreams)}\nplugins: ${JSON.stringify(KONG.plugins)}\nconsumers: ${JSON.stringify(KONG.consumers)}\n`
    const { output } = await control.run('config.convert', { document: text }, { role: 'viewer' })
    const { documents } = output as { documents: object[] }
    const applied = await control.run('config.apply', { documents, managed_by: 'kong' })
    assert.equal(applied.output['create'], documents.length)
    const { output: plan } = await control.run('config.plan', { documents, managed_by: 'kong' })
    assert.equal(plan['unchanged'], documents.length)
    await refused(control.run('config.convert', { document: { services: [] } }), 'document_invalid')
    await refused(control.run('config.convert', { document: '[]' }), 'document_invalid')
  } finally {
    await control.close()
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imported, ok } from '../../../test/support/imported.ts'
import { takeDocument } from '../descriptions.ts'
import { type Imported, toCollection } from './collection.ts'

const paths = (result: Imported): string[] =>
  result.proxies.map((proxy) => `${proxy.methods.join()} ${proxy.path}`)
const url = (result: Imported): string | undefined => result.collection.upstream?.targets[0]?.url
const servers = (...urls: string[]): object => ({ servers: urls.map((text) => ({ url: text })) })

test('every path and method becomes a proxy, with paths as they are written', () => {
  const result = imported({
    '/orders': { get: ok, post: ok, summary: 'x', 'x-y': 1 },
    '/orders/': { get: ok },
    '/orders/{id}:cancel': { post: ok },
    '/files/{name}.{extension}': { get: ok },
    '/': { head: ok, options: ok, patch: ok, put: ok, delete: ok },
    'x-internal': 5,
  })
  assert.deepEqual(paths(result), [
    'GET /orders',
    'POST /orders',
    'GET /orders/',
    'POST /orders/{id}:cancel',
    'GET /files/{name}.{extension}',
    'HEAD /',
    'OPTIONS /',
    'PATCH /',
    'PUT /',
    'DELETE /',
  ])
  assert.deepEqual(result.warnings, [])
})

test('paths are brought into canonical form', () => {
  const result = imported({
    '/über uns': { get: ok },
    '/%7euser/%c3%a9': { get: ok },
    '/100%': { get: ok },
    '/files/{path+}': { get: ok },
    '/tree/*': { get: ok },
  })
  assert.deepEqual(paths(result), [
    'GET /%C3%BCber%20uns',
    'GET /~user/%C3%A9',
    'GET /100%25',
    'GET /files/*',
    'GET /tree/*',
  ])
})

test('queries and fragments in paths are left out, and what then collides is skipped', () => {
  const result = imported({
    '/x?action=a': { get: ok },
    '/x?action=b': { get: ok, post: ok },
    '/y#z': { get: ok },
    '/search{?q,limit}': { get: ok },
  })
  assert.deepEqual(paths(result), ['GET /x', 'POST /x', 'GET /y', 'GET /search'])
  assert.deepEqual(
    result.warnings.map(({ pointer, reason }) => `${pointer}: ${reason}`),
    [
      '/paths/~1x?action=a: imported without "?action=a"',
      '/paths/~1x?action=b/get: left out, it is the same route as /paths/~1x?action=a/get; requests must meet both contracts',
      '/paths/~1x?action=b: imported without "?action=b"',
      '/paths/~1y#z: imported without "#z"',
      '/paths/~1search{?q,limit}: imported without {?q,limit}',
    ],
  )
})

test('routes that differ only in parameter names are one route', () => {
  const result = imported({ '/a/{x}': { get: ok }, '/a/{y}': { get: ok, put: ok } })
  assert.deepEqual(paths(result), ['GET /a/{x}', 'PUT /a/{y}'])
  assert.equal(result.warnings[0]?.pointer, '/paths/~1a~1{y}/get')
})

test('what no canonical request can match is left out with a warning', () => {
  for (const path of ['/a//b', '/a/../b', '/a/%2f', '/a\\b', '/{a}{b}', '/a*b', `/${'x'.repeat(1100)}`]) {
    const result = imported({ [path]: { get: ok }, '/ok': { get: ok } })
    assert.deepEqual(paths(result), ['GET /ok'], path)
    assert.match(result.warnings[0]!.reason, /no request can match/)
  }
})

test('TRACE and methods in upper case are left out with a warning', () => {
  const result = imported({ '/a': { trace: ok, GET: ok, post: ok } })
  assert.deepEqual(paths(result), ['POST /a'])
  assert.deepEqual(
    result.warnings.map((warning) => warning.pointer),
    ['/paths/~1a/trace', '/paths/~1a/GET'],
  )
})

test('parameters of the path item are merged and replaced by those of the operation', () => {
  const result = imported(
    {
      '/a/{id}': {
        parameters: [
          { name: 'id', in: 'path', required: true, schema: { type: 'integer', minimum: 1 } },
          { name: 'q', in: 'query', schema: { type: 'string' } },
          { $ref: '#/components/parameters/Page' },
        ],
        get: {
          ...ok,
          parameters: [
            { name: 'q', in: 'query', required: true, schema: { $ref: '#/components/schemas/Kind' } },
            { name: 'Accept', in: 'header', schema: { type: 'string' } },
            {
              name: 'X-Trace',
              in: 'header',
              description: 'd',
              schema: { type: ['null', 'boolean'], default: true },
            },
            { name: 'filter', in: 'query', content: { 'application/json': { schema: { type: 'object' } } } },
            { name: 'gone', in: 'path', required: true },
          ],
        },
      },
    },
    {
      components: {
        parameters: {
          Page: { name: 'page', in: 'query', schema: { allOf: [{ type: 'integer', maximum: 9 }] } },
        },
        schemas: { Kind: { type: 'string', enum: ['a', 'b'], pattern: '^[ab]$' } },
      },
    },
  )
  assert.deepEqual(result.proxies[0]?.parameters, [
    { name: 'id', in: 'path', type: 'integer', required: true, min: 1 },
    {
      name: 'q',
      in: 'query',
      type: 'string',
      required: true,
      enum: ['a', 'b'],
      pattern: '^[ab]$',
      schema: { $ref: '#/$defs/Kind' },
    },
    {
      name: 'page',
      in: 'query',
      type: 'integer',
      max: 9,
      schema: { allOf: [{ type: 'integer', maximum: 9 }] },
    },
    {
      name: 'X-Trace',
      in: 'header',
      type: 'boolean',
      description: 'd',
      default: true,
      schema: { type: ['null', 'boolean'], default: true },
    },
    {
      name: 'filter',
      in: 'query',
      type: 'object',
      content_type: 'application/json',
      schema: { type: 'object' },
    },
  ])
  assert.match(result.warnings[0]!.reason, /"gone" is not in the path/)
})

test('parameter names that a pattern cannot have are renamed in path and parameters alike', () => {
  const result = imported({
    '/a/{user id}/{1st}/{$x}/{_x}': {
      get: { ...ok, parameters: [{ name: 'user id', in: 'path', description: 'who' }] },
    },
  })
  assert.deepEqual(paths(result), ['GET /a/{user_id}/{_1st}/{_x}/{_x_2}'])
  assert.deepEqual(
    result.proxies[0]?.parameters?.map(({ name, required }) => [name, required]),
    [
      ['user_id', true],
      ['_1st', true],
      ['_x', true],
      ['_x_2', true],
    ],
  )
  assert.equal(result.warnings.length, 4)
})

test('the path of the servers goes into the upstream', () => {
  const one = { '/x': { get: ok } }
  const without = { upstream: undefined }
  assert.equal(
    url(imported(one, servers('https://api.example.com/v1/'), without)),
    'https://api.example.com/v1',
  )
  assert.equal(
    url(imported(one, servers('https://a.example/v1', 'https://b.example'), without)),
    'https://a.example/v1',
  )
  assert.equal(url(imported(one, servers('https://a.example/v1'))), 'http://127.0.0.1:9/v1')
  assert.equal(
    url(imported(one, servers('/v1'), { upstream: 'http://127.0.0.1:9/' })),
    'http://127.0.0.1:9/v1',
  )
  assert.equal(url(imported(one, servers('v1'))), 'http://127.0.0.1:9/v1')
  assert.equal(url(imported(one, servers('//h.example/v1'))), 'http://127.0.0.1:9/v1')
  assert.equal(
    url(imported(one, servers('/v1'), { upstream: 'http://127.0.0.1:9/own/' })),
    'http://127.0.0.1:9/own',
  )
  assert.equal(url(imported(one)), 'http://127.0.0.1:9')
  const variables = {
    servers: [
      {
        url: '{scheme}://{host}:{port}/{version}',
        variables: {
          scheme: { default: 'https' },
          host: { default: 'h.example' },
          port: { default: 8443 },
          version: { default: 'v2' },
        },
      },
    ],
  }
  assert.equal(url(imported(one, variables, without)), 'https://h.example:8443/v2')
})

test('servers of paths and operations go into target paths below what all have in common', () => {
  const result = imported(
    {
      '/a': { get: ok },
      '/b': { get: ok, ...servers('https://h.example/api/v2') },
      '/c': { get: { ...ok, ...servers('https://h.example/api/v3/') } },
    },
    servers('https://h.example/api/v1'),
    { upstream: undefined },
  )
  assert.equal(url(result), 'https://h.example/api')
  assert.deepEqual(
    result.proxies.map((proxy) => proxy.target_path),
    ['/v1/a', '/v2/b', '/v3/c'],
  )
})

test('an operation on another host stays a draft', () => {
  const result = imported(
    { '/a': { get: ok }, '/upload': { post: { ...ok, ...servers('https://files.example') } } },
    servers('https://h.example'),
    { upstream: undefined, publish: true },
  )
  assert.deepEqual(
    result.proxies.map((proxy) => proxy.status),
    ['published', 'draft'],
  )
  assert.equal(result.collection.status, 'published')
  assert.match(result.warnings[0]!.reason, /another host/)
})

test('without a host there is a draft without upstream, and publishing is refused', () => {
  for (const list of [servers('/v1'), servers('ftp://h.example'), servers('{x}'), {}]) {
    const result = imported({ '/a': { get: ok } }, list, { upstream: undefined })
    assert.equal(result.collection.upstream, null)
    assert.equal(result.collection.status, 'draft')
    assert.match(JSON.stringify(result.warnings), /set the upstream of the collection/)
    assert.throws(() => imported({ '/a': { get: ok } }, list, { upstream: undefined, publish: true }), {
      code: 'input_invalid',
      message: /URL of the upstream/,
    })
  }
})

test('names, slugs and ids are readable, different and the same every time', () => {
  const operation = (operationId?: string, summary?: string) => ({
    ...ok,
    operationId,
    summary,
    tags: ['Big Orders'],
  })
  const document = {
    '/a': { get: operation('listOrders', 'List orders') },
    '/b': { get: operation('listOrders') },
    '/c': { get: operation(undefined, 'List orders') },
    '/d': { get: operation(undefined, `${'long '.repeat(40)}`) },
    '/e/{id}': { get: operation() },
    '/%E2%82%AC': { get: operation('€') },
  }
  const result = imported(document, {}, { name: 'My shop' })
  assert.deepEqual(
    result.proxies.map(({ slug, operation_id }) => [slug, operation_id]),
    [
      ['list-orders', 'listOrders'],
      ['list-orders-2', null],
      ['list-orders-3', null],
      ['long-long-long-long-long-long-long-long-long-long-long-long-lon', null],
      ['get-e-id', null],
      ['get-e2-82-ac', '€'],
    ],
  )
  assert.equal(result.collection.slug, 'my-shop')
  assert.deepEqual(result.proxies[0]?.tags, ['big-orders'])
  assert.equal(result.proxies[4]?.name, 'GET /e/{id}')
  assert.match(JSON.stringify(result.warnings), /occurs twice; only the first operation keeps it/)
  assert.deepEqual(imported(document, {}, { name: 'My shop' }), result)
})

test('security requirements are reported, webhooks are not imported', () => {
  const result = toCollection(
    takeDocument({ openapi: '3.1.0', info: { title: 'T' }, webhooks: { a: {} }, security: [{ key: [] }] }),
    { base_path: '/a' },
  )
  assert.deepEqual(result.proxies, [])
  assert.deepEqual(
    result.warnings.map((warning) => warning.pointer),
    ['/paths', '/servers', '/security'],
  )
})

test('warnings are bounded', () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`/a${i}?x`, { get: ok }]))
  const result = imported(many)
  assert.equal(result.proxies.length, 500)
  assert.equal(result.warnings.length, 201)
  assert.equal(result.warnings.at(-1)?.reason, '300 more warnings are not listed')
})

test('pointers are told in a length that can be read', () => {
  const result = imported({ [`/${'{a!}{b!}'.repeat(100_000)}`]: { get: ok } })
  assert.equal(result.warnings[0]?.pointer.length, 2000)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NO_TEXT, withEachReplaced, withReplaced } from '../../test/support/replaced.ts'
import type { Plain } from '../base/json/storable.ts'
import { Refusal } from '../base/refusal.ts'
import { CollectionSpec } from '../model/api/collection.ts'
import { ProxySpec } from '../model/api/proxy.ts'
import { takeDocument } from './descriptions.ts'
import { type Imported, toCollection } from './openapi/collection.ts'
import { lookUp, tokensOf } from './openapi/pointer.ts'

const SWAGGER = {
  swagger: '2.0',
  info: { title: 'Pets', version: '1' },
  host: 'api.example.com',
  basePath: '/v1',
  schemes: ['http', 'https'],
  consumes: ['application/json'],
  produces: ['application/json'],
  paths: {
    '/pets/{id}': {
      parameters: [{ name: 'id', in: 'path', required: true, type: 'integer' }],
      get: {
        operationId: 'getPet',
        parameters: [{ $ref: '#/parameters/Limit' }],
        responses: {
          200: {
            description: 'ok',
            schema: { $ref: '#/definitions/Pet' },
            examples: { 'application/json': { id: 1 } },
          },
          404: { $ref: '#/responses/NotFound' },
        },
      },
      put: {
        parameters: [{ name: 'pet', in: 'body', required: true, schema: { $ref: '#/definitions/Pet' } }],
        responses: { 200: { description: 'ok' } },
      },
      post: {
        consumes: ['multipart/form-data'],
        parameters: [{ name: 'file', in: 'formData', type: 'file', required: true }],
        responses: { default: { description: 'ok' } },
      },
    },
  },
  parameters: { Limit: { name: 'limit', in: 'query', type: 'integer', maximum: 50 } },
  responses: { NotFound: { description: 'none', schema: { type: 'object' } } },
  definitions: {
    Pet: {
      type: 'object',
      required: ['id'],
      properties: { id: { type: 'integer' }, name: { type: 'string', 'x-nullable': true } },
    },
  },
}

const POSTMAN = {
  info: {
    name: 'Shop',
    description: { content: 'Orders of a shop', type: 'text/plain' },
    schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json',
  },
  auth: { type: 'bearer', bearer: [{ key: 'token', value: 'PLANTED-SECRET' }] },
  variable: [
    { key: 'host', value: 'shop.example.com' },
    { key: 'baseUrl', value: 'https://{{host}}/api/' },
    { key: 'token', value: 'PLANTED-SECRET' },
  ],
  item: [
    {
      name: 'Orders',
      item: [
        {
          name: 'Get order',
          event: [{ listen: 'test', script: { exec: ['pm.test()'] } }],
          request: {
            method: 'GET',
            header: [
              { key: 'Authorization', value: 'Bearer PLANTED-SECRET' },
              { key: 'X-Trace', value: 'PLANTED-SECRET', description: 'of the caller' },
            ],
            url: {
              raw: '{{baseUrl}}/orders/:id?expand=lines&expand=customer',
              host: ['{{baseUrl}}'],
              path: ['orders', ':id'],
              query: [
                { key: 'expand', value: 'PLANTED-SECRET', description: 'What to add' },
                { key: 'expand', value: 'customer' },
              ],
              variable: [{ key: 'id', value: '7', description: 'Of the order' }],
            },
          },
          response: [{ name: 'Found', code: 200, body: '{"id":7}' }],
        },
        {
          name: 'Place order',
          request: {
            method: 'POST',
            url: '{{baseUrl}}/orders',
            body: { mode: 'raw', raw: '{"sku":"a"}', options: { raw: { language: 'json' } } },
          },
        },
        { name: 'Again', request: { method: 'GET', url: '{{baseUrl}}/orders/:id' } },
      ],
    },
    { name: 'Health', request: 'https://other.example.com/health' },
    {
      name: 'Upload',
      request: {
        method: 'POST',
        url: { raw: '{{baseUrl}}/files/{{folder}}' },
        body: { mode: 'formdata', formdata: [{ key: 'file', type: 'file' }] },
      },
    },
  ],
}

const entry = (method: string, url: string, more: object = {}, mimeType = 'application/json'): object => ({
  request: {
    method,
    url,
    headers: [{ name: 'Cookie', value: 'PLANTED-SECRET' }],
    ...more,
  },
  response: { status: 200, content: { mimeType, text: '{"token":"PLANTED-SECRET"}' } },
})

const HAR = {
  log: {
    version: '1.2',
    entries: [
      entry('GET', 'https://app.example.com/index.html', {}, 'text/html; charset=utf-8'),
      entry('GET', 'https://api.example.com/v1/orders?status=open&token=PLANTED-SECRET'),
      entry('GET', 'https://api.example.com/v1/orders?page=2'),
      entry('GET', 'https://api.example.com/v1/orders/42/lines/0b0e2e3c-5a8e-4d24-9c27-3c1f6a1b2c3d'),
      entry('GET', 'https://api.example.com/v1/orders/43/lines/1b0e2e3c-5a8e-4d24-9c27-3c1f6a1b2c3d'),
      entry('POST', 'https://api.example.com/v1/orders', {
        postData: { mimeType: 'application/json; charset=utf-8', text: '{"card":"PLANTED-SECRET"}' },
      }),
      entry('OPTIONS', 'https://api.example.com/v1/orders'),
      entry('POST', 'https://metrics.example.net/collect'),
    ],
  },
}

function imported(document: object): Imported {
  const result = toCollection(takeDocument(document as Plain), { base_path: '/a' })
  CollectionSpec.parse(result.collection)
  for (const proxy of result.proxies) ProxySpec.parse(proxy)
  return result
}

const routes = ({ proxies }: Imported): string[] =>
  proxies.map(({ methods, path }) => `${methods.join()} ${path}`)
const reasons = ({ warnings }: Imported): string => warnings.map(({ reason }) => reason).join('\n')

test('Swagger 2.0 is read with its host, bodies, forms and shared definitions', () => {
  const result = imported(SWAGGER)
  assert.equal(result.collection.upstream?.targets[0]?.url, 'https://api.example.com/v1')
  assert.deepEqual(routes(result), ['GET /pets/{id}', 'PUT /pets/{id}', 'POST /pets/{id}'])
  const [get, put, post] = result.proxies
  assert.equal(get?.operation_id, 'getPet')
  assert.deepEqual(
    get?.parameters?.map(({ name, in: place, type, max }) => [name, place, type, max]),
    [
      ['id', 'path', 'integer', undefined],
      ['limit', 'query', 'integer', 50],
    ],
  )
  assert.deepEqual(get?.response_example, { id: 1 })
  assert.deepEqual([put?.request_schema, put?.request_required], [{ $ref: '#/$defs/Pet' }, true])
  assert.deepEqual(post?.request_types, ['multipart/form-data'])
  assert.deepEqual((result.schemas!['Pet'] as { properties: object }).properties, {
    id: { type: 'integer' },
    name: { type: ['string', 'null'] },
  })
})

test('a Postman collection gives folders as tags, paths, parameters and examples, and no secret', () => {
  const result = imported(POSTMAN)
  assert.equal(result.collection.name, 'Shop')
  assert.equal(result.collection.description, 'Orders of a shop')
  assert.equal(result.collection.upstream?.targets[0]?.url, 'https://shop.example.com/api')
  assert.deepEqual(routes(result), ['GET /orders/{id}', 'POST /orders', 'POST /files/{folder}'])
  assert.match(reasons(result), /"Health" is left out: it is sent to https:\/\/other\.example\.com/)
  const [get, place] = result.proxies
  assert.deepEqual([get?.name, get?.tags, get?.response_example], ['Get order', ['orders'], { id: 7 }])
  assert.deepEqual(
    get?.parameters?.map(({ name, in: where, description }) => [where, name, description]),
    [
      ['path', 'id', 'Of the order'],
      ['query', 'expand', 'What to add'],
      ['header', 'X-Trace', 'of the caller'],
    ],
  )
  assert.deepEqual([place?.request_example, place?.request_types], [{ sku: 'a' }, ['application/json']])
  assert.match(reasons(result), /"Again" is left out: GET \/orders\/\{id\} was already imported/)
  assert.match(reasons(result), /authentication is not imported/)
  assert.match(reasons(result), /scripts and tests are not imported/)
  assert.doesNotMatch(JSON.stringify(result), /PLANTED/)
})

test('a request of Postman goes to no other host than before, and what is left out is named', () => {
  const of = (...requests: unknown[]) =>
    imported({
      ...POSTMAN,
      event: [],
      variable: [{ key: 'base', value: 'https://a.example/v1' }],
      item: requests.map((request, at) => ({ name: `r${at}`, request })),
    })
  const result = of(
    '{{base}}/x',
    '{{base}}/y',
    'https://a.example/v1/z',
    'https://a.example/v2/x',
    '{{unknown}}/u',
  )
  assert.equal(result.collection.upstream?.targets[0]?.url, 'https://a.example/v1')
  assert.deepEqual(routes(result), ['GET /x', 'GET /y', 'GET /z', 'GET /u'])
  assert.match(
    reasons(result),
    /"r3" is left out: it is sent to https:\/\/a\.example; import that server separately/,
  )
  assert.match(
    reasons(result),
    /"r4" is sent to an unknown host; it is imported for https:\/\/a\.example\/v1/,
  )
  const odd = of({
    method: 'POST',
    url: '{{base}}/x',
    header: [{ key: 'Authorization', value: 'Bearer PLANTED' }],
    body: { mode: 'new-mode' },
  })
  assert.match(reasons(odd), /authentication is not imported/)
  assert.match(reasons(odd), /the body of "r0" is left out/)
})

test('calls of a HAR by other protocols are named', () => {
  const entries = [...HAR.log.entries, entry('GET', 'wss://api.example.com/live')]
  assert.match(reasons(imported({ log: { ...HAR.log, entries } })), /calls by wss: are left out/)
})

test('a HAR gives the calls of one API with ids as parameters, and no value of the traffic', () => {
  const result = imported(HAR)
  assert.equal(result.collection.upstream?.targets[0]?.url, 'https://api.example.com')
  assert.deepEqual(routes(result), ['GET /v1/orders', 'POST /v1/orders', 'GET /v1/orders/{id}/lines/{id_2}'])
  assert.deepEqual(
    result.proxies[0]?.parameters?.map(({ name }) => name),
    ['status', 'token', 'page'],
  )
  assert.deepEqual(result.proxies[1]?.request_types, ['application/json'])
  assert.match(reasons(result), /calls of https:\/\/metrics\.example\.net are left out/)
  assert.doesNotMatch(JSON.stringify(result), /PLANTED/)
})

test('a HAR without a call of an API is refused', () => {
  assert.throws(() => imported({ log: { entries: [] } }), { code: 'document_invalid' })
})

test('documents that are written to take long are read to their end', () => {
  const slashes = `https://api.example.com${'/'.repeat(1_000_000)}x`
  const postman = (variable: object[], item: object[]) => imported({ ...POSTMAN, variable, item })
  const item = [{ name: 'Get', request: '{{v}}/orders' }]
  assert.equal(postman([{ key: 'v', value: '{{v}}'.repeat(100) }], item).collection.upstream, null)
  assert.equal(postman([{ key: 'v', value: slashes }], item).collection.upstream, null)
  const request = { name: 'Get', request: `${slashes}/orders` }
  assert.equal(postman([], [request]).proxies.length, 0)
  const described = { ...SWAGGER, basePath: `${'/'.repeat(1_000_000)}x` }
  assert.equal(imported(described).proxies.length, 3)
  const entries = Array.from({ length: 20_000 }, (_, at) =>
    entry('GET', `https://a.example.com/x?q=${at % 900}&p${at % 900}`),
  )
  assert.equal(imported({ log: { entries } }).proxies[0]?.parameters?.length, 200)
})

/** Each place that is told is one of the source, or a member that is missing there. */
function assertPlaces(source: object, told: readonly { pointer: string; reason: string }[]): void {
  for (const { pointer, reason } of told) {
    const tokens = tokensOf(pointer)
    const found = lookUp(source, tokens) !== undefined || lookUp(source, tokens.slice(0, -1)) !== undefined
    assert.ok(found, `${pointer} is no place: ${reason}`)
  }
}

function readOrRefused(document: object): void {
  const source = structuredClone(document)
  try {
    const { warnings, notEnforced } = imported(document)
    assertPlaces(source, [...warnings, ...notEnforced])
  } catch (error) {
    assert.ok(error instanceof Refusal, error instanceof Error ? error.stack : String(error))
    assert.equal(error.code, 'document_invalid')
    assertPlaces(source, error.facts.errors ?? [])
  }
}

for (const [name, whole] of Object.entries({ SWAGGER, POSTMAN, HAR }))
  test(`with what no text can be made of in any place it is read or refused: ${name}`, () => {
    for (const changed of withEachReplaced(whole, NO_TEXT)) readOrRefused(changed)
  })

for (const [name, whole] of Object.entries({ SWAGGER, POSTMAN, HAR }))
  test(`with any one part replaced by anything it is read or refused: ${name}`, () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(), (value, seed) => {
        readOrRefused(withReplaced(whole, value, seed))
      }),
      { numRuns: 500 },
    )
  })

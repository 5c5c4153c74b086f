import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Plain } from '../base/json/storable.ts'
import { CollectionSpec } from '../model/api/collection.ts'
import { ProxySpec } from '../model/api/proxy.ts'
import { readDocument, takeDocument } from './descriptions.ts'
import { type Imported, toCollection } from './openapi/collection.ts'
import { readYaml } from './text/yaml.ts'

/** Descriptions as widespread tools write them: imported, with a warning for what differs. */
function imported(document: object | string, base_path = '/a'): Imported {
  const description =
    typeof document === 'string' ? readDocument(document, { bytesMax: 1e6 }) : takeDocument(document as Plain)
  const result = toCollection(description, { base_path, upstream: 'http://127.0.0.1:9' })
  CollectionSpec.parse(result.collection)
  for (const proxy of result.proxies) ProxySpec.parse(proxy)
  return result
}
const ok = { responses: { 200: { description: 'ok' } } }
const openapi = (paths: object, more: object = {}): object => ({
  openapi: '3.0.3',
  info: { title: 'T', version: '1' },
  paths,
  ...more,
})
const told = ({ warnings, notEnforced }: Imported): string[] =>
  [...warnings, ...notEnforced].map(({ pointer, reason }) => `${pointer} ${reason}`)
const names = ({ proxies }: Imported): (string | undefined)[][] =>
  proxies.map(({ parameters }) => (parameters ?? []).map(({ name }) => name))

test('a description without a title is named after the path under which it is published', () => {
  for (const info of [{ title: '', version: '1' }, { version: '1' }, { title: '  ' }]) {
    const result = imported({ ...openapi({ '/x': { get: ok } }), info }, '/shops/orders')
    assert.deepEqual([result.collection.name, result.collection.slug], ['orders', 'orders'])
    assert.deepEqual(told(result), ['/info/title missing; the collection gets the name "orders"'])
  }
  const servers = [{ url: 'https://api.example.com/v1/pets' }]
  const own = toCollection(
    takeDocument({ ...openapi({ '/x': { get: ok } }, { servers }), info: { version: '1' } }),
    {},
  )
  assert.equal(own.collection.name, 'pets')
  const none = toCollection(takeDocument({ ...openapi({}), info: {} }), {})
  assert.deepEqual([none.collection.name, none.collection.base_path], ['API', '/api'])
})

test('a parameter that stands twice in a path is one parameter for each place, with one description', () => {
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'integer' } }
  const result = imported(openapi({ '/a/{id}/b/{id}': { get: { ...ok, parameters: [id] } } }))
  assert.equal(result.proxies[0]?.path, '/a/{id}/b/{id_2}')
  assert.deepEqual(
    result.proxies[0]?.parameters?.map(({ name, type, required }) => [name, type, required]),
    [
      ['id', 'integer', true],
      ['id_2', 'integer', true],
    ],
  )
  assert.deepEqual(told(result), [
    '/paths/~1a~1{id}~1b~1{id} parameter {id} occurs twice in the path; the later one is called {id_2}',
  ])
  const other = { ...id, schema: { type: 'string' } }
  const torn = imported(openapi({ '/a/{id}/b/{id}': { get: { ...ok, parameters: [id, other] }, put: ok } }))
  assert.deepEqual(
    torn.proxies.map(({ methods }) => methods),
    [['PUT']],
  )
  assert.match(
    told(torn)[0]!,
    /^\/paths\/~1a~1\{id\}~1b~1\{id\}\/get left out, \{id\} occurs twice .* with two descriptions/,
  )
})

test('a parameter without a name is left out with its place, and the others stay', () => {
  for (const path of [
    {
      get: {
        ...ok,
        parameters: [
          { in: 'query', name: '' },
          { in: 'query', name: 'q' },
        ],
      },
    },
    { parameters: [{ in: 'query', name: '' }], get: { ...ok, parameters: [{ in: 'query', name: 'q' }] } },
  ]) {
    const result = imported(openapi({ '/x': path }))
    assert.deepEqual(names(result), [['q']])
    assert.match(told(result)[0]!, /parameters\/0 left out, a parameter without a name$/)
  }
})

test('a response that is null is left out with its place, and its operation stays, in every version', () => {
  const responses = { 200: null, 404: { description: 'none' } }
  const paths = { '/x': { get: { responses }, put: ok } }
  for (const version of [
    { openapi: '3.0.0' },
    { openapi: '3.1.0' },
    { openapi: '3.2.0' },
    { swagger: '2.0' },
  ]) {
    const result = imported({ info: { title: 'T', version: '1' }, paths, ...version })
    assert.equal(result.proxies.length, 2)
    assert.ok(
      told(result).includes('/paths/~1x/get/responses/200 left out, the response is null'),
      JSON.stringify(told(result)),
    )
  }
})

test('a body of Swagger 2.0 that is shared by a reference is the contract of its operations', () => {
  const result = imported({
    swagger: '2.0',
    info: { title: 'T', version: '1' },
    consumes: ['application/json'],
    parameters: { B: { in: 'body', name: 'body', required: true, schema: { $ref: '#/definitions/A' } } },
    definitions: { A: { type: 'object', required: ['a'] } },
    paths: {
      '/own': { post: { ...ok, parameters: [{ $ref: '#/parameters/B' }] } },
      '/shared': { parameters: [{ $ref: '#/parameters/B' }], post: ok, put: ok },
    },
  })
  for (const proxy of result.proxies)
    assert.deepEqual([proxy.request_schema, proxy.request_required], [{ $ref: '#/$defs/A' }, true])
  assert.equal(result.proxies.length, 3)
})

test('places of warnings are those of the Swagger 2.0 document, not of what was made of it', () => {
  const odd = { type: 'string', format: 'ipv4', contentEncoding: 'x', pattern: '(?=a)b' }
  const result = imported({
    swagger: '2.0',
    info: { title: 'T', version: '1' },
    basePath: '/v1',
    securityDefinitions: { key: { type: 'apiKey', in: 'header', name: 'X' } },
    parameters: { Q: { name: 'q', in: 'query', ...odd }, B: { in: 'body', name: 'b', schema: odd } },
    responses: { R: { description: 'r', schema: odd } },
    definitions: { A: { type: 'object', properties: { a: odd } } },
    paths: {
      '/x': {
        parameters: [{ $ref: '#/parameters/Q' }, { name: 'h', in: 'header', ...odd }],
        post: {
          consumes: ['application/json'],
          parameters: [
            {
              in: 'body',
              name: 'b',
              schema: { type: 'object', properties: { b: odd, a: { $ref: '#/definitions/A' } } },
            },
            { name: 'o', in: 'query', ...odd },
          ],
          responses: { 200: { description: 'ok', schema: { type: 'object', properties: { r: odd } } } },
        },
        put: {
          parameters: [
            { name: 'skip', in: 'query', type: 'string' },
            { name: 'f', in: 'formData', ...odd },
          ],
          responses: { 200: { $ref: '#/responses/R' } },
        },
        patch: { parameters: [{ $ref: '#/parameters/B' }], responses: { 200: { description: 'ok' } } },
      },
    },
  })
  const places = new Set([...result.warnings, ...result.notEnforced].map(({ pointer }) => pointer))
  for (const place of [
    '/parameters/Q/pattern',
    '/parameters/B/schema/pattern',
    '/responses/R/schema/pattern',
    '/definitions/A/properties/a/pattern',
    '/paths/~1x/parameters/1/pattern',
    '/paths/~1x/post/parameters/0/schema/properties/b/pattern',
    '/paths/~1x/post/parameters/1/pattern',
    '/paths/~1x/post/responses/200/schema/properties/r/pattern',
    '/securityDefinitions',
  ])
    assert.ok(places.has(place), `${place} is not among ${[...places].join(' ')}`)
  assert.deepEqual(
    [...places].filter((place) => /components|requestBody|content/.test(place)),
    [],
  )
})

test('OpenAPI 3.2 is read as far as 3.1 has the means, and what it has not is named', () => {
  const result = imported({
    openapi: '3.2.0',
    $self: 'https://api.example.com/openapi.json',
    info: { title: 'T', version: '1' },
    components: { mediaTypes: { Order: { schema: { type: 'object', required: ['id'] } } } },
    paths: {
      '/x': {
        post: {
          requestBody: { content: { 'application/json': { $ref: '#/components/mediaTypes/Order' } } },
          responses: { 200: { content: { 'text/event-stream': { itemSchema: { type: 'object' } } } } },
        },
        query: ok,
        additionalOperations: { COPY: ok },
        get: { ...ok, parameters: [{ name: 'all', in: 'querystring', content: { 'text/plain': {} } }] },
      },
    },
  })
  assert.deepEqual(
    result.proxies.map(({ methods }) => methods?.[0]),
    ['POST', 'GET'],
  )
  assert.deepEqual(result.proxies[0]?.request_schema, { type: 'object', required: ['id'] })
  assert.deepEqual(told(result).sort(), [
    '/paths/~1x/additionalOperations/COPY left out, the gateway does not forward the method COPY',
    '/paths/~1x/get/parameters/0 left out, the query string is not checked as a whole',
    '/paths/~1x/post/responses/200/content/text~1event-stream/itemSchema itemSchema: the items of a stream are not checked',
    '/paths/~1x/query left out, the gateway does not forward the method QUERY',
  ])
})

test('a request of Postman that cannot be read, or whose method is not forwarded, is left out with its place', () => {
  const collection = (item: unknown[]): object => ({
    info: { name: 'Shop', schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json' },
    item,
  })
  const result = imported(
    collection([
      { name: 'Fine', request: { method: 'GET', url: 'https://a.example/x' } },
      { name: 'No URL', request: { method: 'GET' } },
      { name: 'Brace', request: { method: 'GET', url: 'https://a.example/x{/y' } },
      'text',
      { name: 'Folder', item: 'none' },
      { name: 'Find', request: { method: 'PROPFIND', url: 'https://a.example/dav' } },
    ]),
  )
  assert.deepEqual(
    result.proxies.map(({ path }) => path),
    ['/x'],
  )
  assert.deepEqual(told(result).sort(), [
    '/item/1/request/url left out: the URL of a request, as text or with `raw`',
    '/item/2/request/url left out: a brace without its counterpart',
    '/item/3 left out, a request or a folder must be an object',
    '/item/4/item left out, a folder must have a list of requests and folders',
    '/item/5 left out, the gateway does not forward the method PROPFIND',
  ])
  assert.throws(() => imported({ id: '1', name: 'Old', order: ['r'], requests: [{ id: 'r' }] }), {
    code: 'document_invalid',
    message: /Postman collection of format 1; open it in Postman and export it as Collection v2\.1/,
  })
})

test('an entry of a HAR that cannot be read is left out with its place', () => {
  const entry = (request: unknown): object => ({ request, response: { status: 200, content: {} } })
  const result = imported({
    log: {
      entries: [
        entry({ method: 'GET', url: 'https://a.example/x' }),
        entry({ method: 'GET', url: 'x' }),
        entry({ url: 'https://a.example/y' }),
        entry(null),
      ],
    },
  })
  assert.equal(result.proxies.length, 1)
  assert.deepEqual(
    told(result).filter((one) => one.includes('left out')),
    [
      '/log/entries/1/request/url left out: an absolute URL is needed',
      '/log/entries/2/request/method left out: a method is needed',
      '/log/entries/3 left out: an entry must have a request',
    ],
  )
})

test('a number with the tag of numbers with a point is read, and other text with it is refused', () => {
  for (const [text, value] of [
    ['3', 3],
    ['-0.5', -0.5],
    ['1e3', 1000],
    ['"2"', 2],
    ['.5', 0.5],
  ] as const)
    assert.deepEqual(readYaml(`a: !!float ${text}`), { a: value })
  for (const text of ['x', '.inf', '0x1f', ''])
    assert.throws(() => readYaml(`a: !!float ${text}`), { code: 'document_invalid' }, text)
  assert.deepEqual(readYaml('a: !!str 3\nb: !!int "4"\nc: !!float .25'), { a: '3', b: 4, c: 0.25 })
})

test('lines of a quoted text that are indented too little belong to the text, as widespread parsers have it', () => {
  for (const [text, value] of [
    ['a:\n  b:\n    c: "one\n    two\n  three"\n    d: 1', { a: { b: { c: 'one two three', d: 1 } } }],
    ["a:\n  b: 'it''s\nso'\n  c: x", { a: { b: "it's so", c: 'x' } }],
    ['a:\n  - "one\n\n\n  two \\"\n three"\n  - "four\nfive"', { a: ['one\n\ntwo " three', 'four five'] }],
    ['a:\n  b: "one\r\ntwo"\r\n  c: 1', { a: { b: 'one two', c: 1 } }],
    ['a:\n  "k": [1, "x\ny"]', { a: { k: [1, 'x y'] } }],
  ] as const)
    assert.deepEqual(readYaml(text), value, text)
  for (const text of ['a:\n  b: "one\n  c: 2', 'a:\n  b: "one\n  c: "2"', 'a: "one\nb: "two"'])
    assert.throws(() => readYaml(text), { code: 'document_invalid', message: /line \d/ }, text)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { withReplaced } from '../../test/support/replaced.ts'
import type { Plain } from '../base/json/storable.ts'
import { Refusal } from '../base/refusal.ts'
import { readDocument, takeDocument } from './descriptions.ts'
import { toCollection } from './openapi/collection.ts'
import type { Description } from './openapi/description.ts'
import { DOCUMENT_BYTES_MAX } from './text/configuration.ts'

const readWhole = (text: string): Description => readDocument(text, { bytesMax: DOCUMENT_BYTES_MAX })
const read = (text: string): Plain => readWhole(text).document
const importText = (text: string) =>
  toCollection(readWhole(text), { base_path: '/a', upstream: 'http://127.0.0.1:9' })

/** A valid document, with its paths and further members replaced. */
const document = (paths: unknown, more: object = {}): string =>
  JSON.stringify({ openapi: '3.1.0', info: { title: 'T', version: '1' }, paths, ...more })
const ok = { responses: { 200: { description: 'ok' } } }
const get = (operation: object) => document({ '/x': { get: { ...ok, ...operation } } })

test('a name with an escape is read as it is meant, whatever documents came before', () => {
  read('{"openapi":"3.1.0","k":{},"rol\\\\":1}')
  assert.deepEqual(read('{"openapi":"3.1.0","k":{},"rol\\u0065":"admin"}'), {
    openapi: '3.1.0',
    k: {},
    role: 'admin',
  })
})

const BROKEN: readonly [name: string, text: string, pointer: string, reason: RegExp][] = [
  ['empty text', ' \n', '', /empty/],
  ['text that is neither JSON nor YAML', 'a: b: c', '', /YAML.*line 1/],
  [
    'broken JSON',
    '{"openapi": "3.1.0",\n "info": {"a": }}',
    '/info/a',
    /value expected, not "}" at line 2, column 16/,
  ],
  ['JSON that ends too early', '{"info": {"a": [1, 2', '/info/a/1', /not the end/],
  ['a text without end in JSON', '{"info": "a', '/info', /does not end/],
  ['a trailing comma in JSON', '{"info": {},}', '/info', /name expected/],
  ['an invalid escape in JSON', '{"info": "\\x"}', '/info', /line 1, column 10 .*escape/],
  ['a list', '[]', '', /an object/],
  ['plain text', 'hello', '', /an object/],
  ['a document without version', '{"info":{},"paths":{}}', '/openapi', /missing/],
  ['Swagger 1.2', '{"swagger":"1.2","info":{"title":"T"},"paths":{}}', '/swagger', /Swagger 2\.0/],
  [
    'OpenAPI 3.3',
    '{"openapi":"3.3.0","info":{"title":"T"},"paths":{}}',
    '/openapi',
    /2\.0, 3\.0, 3\.1 and 3\.2/,
  ],
  ['a version that is no text', '{"openapi":{},"paths":{}}', '/openapi', /2\.0, 3\.0, 3\.1 and 3\.2/],
  ['missing info', '{"openapi":"3.1.0","paths":{}}', '/info', /missing/],
  ['missing paths', '{"openapi":"3.0.0","info":{"title":"T"}}', '/paths', /missing/],
  ['paths that are a list', document([]), '/paths', /map/],
  ['a path without slash', document({ orders: { get: ok } }), '/paths/orders', /must start with/],
  ['an unbalanced brace', document({ '/a/{id': { get: ok } }), '/paths/~1a~1{id', /brace/],
  ['an empty parameter name', document({ '/a/{}': { get: ok } }), '/paths/~1a~1{}', /without a name/],
  ['a path item that is text', document({ '/x': 'get' }), '/paths/~1x', /an object/],
  ['an operation that is a list', document({ '/x': { get: [] } }), '/paths/~1x/get', /an object/],
  [
    'the same operation twice',
    document({ '/x': { get: ok } }).replace('"get":', '"get":{},"get":'),
    '/paths/~1x/get',
    /twice/,
  ],
  ['parameters that are no list', get({ parameters: {} }), '/paths/~1x/get/parameters', /a list/],
  [
    'a parameter without name',
    get({ parameters: [{ in: 'query' }] }),
    '/paths/~1x/get/parameters/0/name',
    /name/,
  ],
  [
    'a parameter in the body',
    get({ parameters: [{ name: 'b', in: 'body' }] }),
    '/paths/~1x/get/parameters/0/in',
    /path, query/,
  ],
  [
    'a parameter reference that points nowhere',
    get({ parameters: [{ $ref: '#/components/parameters/No' }] }),
    '/paths/~1x/get/parameters/0/$ref',
    /not there/,
  ],
  [
    'a parameter of another document',
    get({ parameters: [{ $ref: 'http://127.0.0.1:1/p.json' }] }),
    '/paths/~1x/get/parameters/0/$ref',
    /bundle/,
  ],
  [
    'a body reference that points nowhere',
    get({ requestBody: { $ref: '#/components/requestBodies/No' } }),
    '/paths/~1x/get/requestBody/$ref',
    /not there/,
  ],
  [
    'a response reference that points nowhere',
    get({ responses: { 404: { $ref: '#/components/responses/No' } } }),
    '/paths/~1x/get/responses/404/$ref',
    /not there/,
  ],
  [
    'a schema reference that points nowhere',
    get({
      responses: {
        200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/No' } } } },
      },
    }),
    '/paths/~1x/get/responses/200/content/application~1json/schema/$ref',
    /not there/,
  ],
  [
    'a reference leads back to itself',
    document({ '/x': { $ref: '#/paths/~1y' }, '/y': { $ref: '#/paths/~1x' } }),
    '/paths/~1x/$ref',
    /back to itself/,
  ],
  ['servers that are no list', document({}, { servers: {} }), '/servers', /a list/],
  ['a server without url', document({}, { servers: [{}] }), '/servers/0/url', /url/],
  ['schemas that are a list', document({}, { components: { schemas: [] } }), '/components/schemas', /map/],
  ['deep JSON', `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`, `/a${'/0'.repeat(127)}`, /levels deep/],
  ['very deep YAML', `a: ${'['.repeat(100_000)}`, '', /deep/],
  ['deep YAML', `a: ${'['.repeat(200)}${']'.repeat(200)}`, `/a${'/0'.repeat(128)}`, /levels deep/],
  ['a member twice in YAML', 'openapi: 3.1.0\ninfo: {title: a, title: b}', '/info/title', /twice/],
  ['a YAML tag', 'openapi: !!js/function "x"', '', /tag.*line 1/i],
  ['a YAML alias of itself', 'a: &a\n  b: *a', '/a/b/b', /contains itself|no anchor/],
  ['two YAML documents', 'a: 1\n---\nb: 2', '', /multiple documents/],
  ['a YAML number that JSON lacks', 'a: .inf', '/a', /number/],
  ['a YAML key that is a list', '? [a]\n: 1', '', /key/],
]

for (const [name, text, pointer, reason] of BROKEN) {
  test(`refused with its pointer: ${name}`, () => {
    assert.throws(
      () => importText(text),
      (error) => {
        assert.ok(error instanceof Refusal, String(error))
        assert.equal(error.code, 'document_invalid')
        assert.equal(error.facts.errors?.length, 1)
        assert.equal(error.facts.errors[0]!.pointer, pointer)
        assert.match(error.facts.errors[0]!.reason, reason)
        return true
      },
    )
  })
}

test('a configuration of Kong is told what reads it', () => {
  assert.throws(() => read('_format_version: "3.0"\nservices: []'), { message: /postern convert/ })
  assert.throws(() => read('{"mcpServers": {}}'), { message: /postern convert/ })
})

test('a YAML bomb is refused before it expands', () => {
  const names = 'abcdefghij'.split('')
  const lines = names.map((name, i) =>
    i === 0
      ? 'a: &a [x,x,x,x,x,x,x,x,x]'
      : `${name}: &${name} [${Array(9)
          .fill(`*${names[i - 1]}`)
          .join(',')}]`,
  )
  assert.throws(() => read(lines.join('\n')), { code: 'document_invalid', message: /aliases expand to more/ })
})

test('brackets inside of texts and long flow mappings are not nesting', () => {
  const texts = Array.from({ length: 3000 }, (_, i) => `x-${i}: "[0, 1) and {"`).join('\n')
  const flow = Array.from({ length: 3000 }, (_, i) => `x${i}: 1`).join(', ')
  const yaml = `openapi: 3.1.0\ninfo: {title: T}\npaths: {}\n${texts}\nx-flow: {${flow}}`
  assert.equal(Object.keys(read(yaml)['x-flow'] as Plain).length, 3000)
})

test('a deep object is refused like deep text', () => {
  let deep: Plain = {}
  for (let i = 0; i < 5000; i++) deep = { a: deep }
  assert.throws(() => takeDocument(deep), { code: 'document_invalid', message: /levels deep/ })
})

test('a document that is too large is refused', () => {
  assert.throws(() => readDocument(get({}), { bytesMax: 20 }), {
    code: 'document_invalid',
    message: /larger than 20/,
  })
})

test('YAML and JSON of the same description give the same document', () => {
  const yaml = `
openapi: "3.1.0"
info: &info {title: T, version: "1"}
x-more:
  <<: *info
  version: "2"
paths:
  /x:
    get:
      responses:
        200: {description: ok}
`
  const json = document({ '/x': { get: ok } }, { 'x-more': { title: 'T', version: '2' } })
  assert.deepEqual(read(yaml), read(json))
  assert.deepEqual(read(`\uFEFF${json}`), read(json))
})

test('members named __proto__ change nothing', () => {
  for (const text of [
    '{"__proto__":{"polluted":1},"openapi":"3.0.0","info":{"title":"T","__proto__":{"polluted":1}},"paths":{}}',
    '__proto__: {polluted: 1}\nopenapi: 3.0.0\ninfo: {title: T, __proto__: {polluted: 1}}\npaths: {}',
  ]) {
    const result = read(text)
    assert.equal(Object.getPrototypeOf(result), Object.prototype)
    assert.equal((result['info'] as Plain)['polluted'], undefined)
    assert.equal(({} as Plain)['polluted'], undefined)
    importText(text)
  }
})

test('OpenAPI 3.0 is read in the terms of 3.1', () => {
  const result = takeDocument({
    openapi: '3.0.3',
    info: { title: 'T', version: '1' },
    paths: {},
    components: {
      schemas: {
        A: {
          type: 'object',
          properties: {
            a: { type: 'string', nullable: true },
            b: { type: 'integer', minimum: 1, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false },
            example: { type: 'string', example: 'x' },
            nullable: { $ref: '#/components/schemas/A', nullable: true },
          },
          default: { nullable: true, type: 'x' },
        },
      },
    },
  })
  const { schemas } = toCollection(result, { base_path: '/a' })
  assert.deepEqual(schemas, {
    A: {
      type: 'object',
      properties: {
        a: { type: ['string', 'null'] },
        b: { type: 'integer', exclusiveMinimum: 1, maximum: 9 },
        example: { type: 'string', examples: ['x'] },
        nullable: { anyOf: [{ $ref: '#/$defs/A' }, { type: 'null' }] },
      },
      default: { nullable: true, type: 'x' },
    },
  })
})

test('whatever the text is, reading gives a document or one refusal with a pointer', () => {
  const outcome = (text: string): void => {
    try {
      importText(text)
    } catch (error) {
      assert.ok(error instanceof Refusal, `${String(error)} for ${text.slice(0, 200)}`)
      assert.equal(error.code, 'document_invalid')
      assert.match(error.facts.errors![0]!.pointer, /^(\/([^~]|~[01])*)?$/)
    }
  }
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), outcome), { numRuns: 300 })
  const marks = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '- ',
    '\n',
    '  ',
    '&a ',
    '*a',
    '"',
    "'",
    '!',
    '|',
    '#',
    '?',
    '<<',
    'a',
    '0',
  )
  fc.assert(
    fc.property(fc.array(marks, { maxLength: 60 }), (parts) => outcome(parts.join(''))),
    { numRuns: 500 },
  )
  fc.assert(fc.property(fc.json({ maxDepth: 6 }), outcome), { numRuns: 300 })
  // A valid document with any one part replaced by anything.
  const whole = read(get({ parameters: [{ name: 'q', in: 'query', schema: { type: 'string' } }] }))
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(), (value, seed) => {
      outcome(JSON.stringify(withReplaced(whole, value, seed)))
    }),
    { numRuns: 500 },
  )
})

test('a text or a name that no store keeps is refused with its place, in JSON, in YAML and in an object', () => {
  const broken = (place: string) => (error: unknown) =>
    error instanceof Refusal &&
    error.code === 'document_invalid' &&
    error.facts.errors?.[0]?.pointer === place
  const json = '{"openapi":"3.1.0","info":{"title":"a\\u0000","version":"1"}}'
  const yaml = 'openapi: 3.1.0\ninfo: { title: "a\\0", version: "1" }'
  const name = 'openapi: 3.1.0\n"x-\\0": 1'
  for (const [text, place] of [
    [json, '/info/title'],
    [json.replace('\\u0000', '\\ud800'), '/info/title'],
    [yaml, '/info/title'],
    [name, '/x-\ufffd'],
  ] as const)
    assert.throws(() => readDocument(text, { bytesMax: 1000 }), broken(place), text)
  assert.throws(() => takeDocument({ openapi: '3.1.0', info: { title: '\0' } }), broken('/info/title'))
})

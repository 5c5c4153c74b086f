/**
 * Valid calls pass: descriptions are imported, published and enforced, and requests that are valid by them are sent through
 * the gateway. Parameters are written by `parameter-forms`, and bodies judged by a validator of another project.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setShouldValidateSchema } from '@hyperjump/json-schema'
import {
  registerSchema,
  type SchemaObject,
  type Validator,
  validate,
} from '@hyperjump/json-schema/draft-2020-12'
import fc from 'fast-check'
import { fuzzCases } from '../support/long.ts'
import { made, SEED } from '../support/made-schemas.ts'
import { freshConnections } from '../support/moved-clock.ts'
import {
  type Call,
  COMPONENTS,
  callWith,
  FORMS,
  type Json,
  KINDS,
  LIST,
  written,
} from '../support/parameter-forms.ts'
import { type Reply, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

interface Case {
  readonly what: string
  readonly template?: string
  readonly method?: string
  readonly operation: Record<string, unknown>
  readonly valid: readonly Call[]
  readonly invalid?: readonly Call[]
}

let server: TestServer
let upstream: TestUpstream
before(async () => {
  upstream = await startUpstream()
  server = await startTestServer()
  await created(server.manage('POST', '/clients', { name: 'Tester', slug: 'tester', profiles: [] }))
  const open = { client: 'tester', name: 'Open', slug: 'open', auth: { type: 'none' } }
  await created(server.manage('POST', '/profiles', open))
})
after(async () => {
  await server.stop()
  await upstream.close()
})

const collections: string[] = []

async function created(asked: Promise<Reply>): Promise<void> {
  const { status, text } = await asked
  assert.equal(status, 201, text)
}

/** Imports a description of the cases, enforces it, and sends all their calls. */
async function prove(
  slug: string,
  version: string,
  cases: readonly Case[],
  more: object = {},
): Promise<void> {
  const paths = Object.fromEntries(
    cases.map(({ template = '', method = 'get', operation }, index) => [
      `/${index}${template}`,
      { [method]: { responses: { 200: { description: 'ok' } }, ...operation } },
    ]),
  )
  const document = {
    ...(version === '2.0' ? { swagger: version } : { openapi: version }),
    info: { title: slug, version: '1' },
    paths,
    ...more,
  }
  const input = {
    document,
    base_path: `/${slug}`,
    slug,
    upstream: upstream.url,
    publish: true,
    request_validation: 'enforce',
  }
  // Many cases take longer to make than an idle connection is kept
  freshConnections()
  const made = await server.manage('POST', '/collections/import', input)
  assert.equal(made.status, 201, made.text)
  collections.push(slug)
  const assigned = await server.manage('PATCH', '/clients/tester', { collections })
  assert.equal(assigned.status, 200, assigned.text)
  const send = (index: number, { path, headers = {}, body }: Call) =>
    server.gateway((cases[index]!.method ?? 'get').toUpperCase(), `/${slug}/${index}${path}`, {
      headers: { 'x-client-id': 'tester', 'x-profile-id': 'open', ...headers },
      ...(body === undefined ? {} : { body }),
    })
  for (const [index, { what, operation, valid, invalid = [] }] of cases.entries()) {
    for (const call of valid) {
      const { status, text } = await send(index, call)
      assert.equal(status, 200, `${what}: ${JSON.stringify(call)} ${text} ${JSON.stringify(operation)}`)
    }
    for (const call of invalid)
      assert.equal((await send(index, call)).status, 400, `${what}: ${JSON.stringify(call)} must be refused`)
  }
}

test('parameters of every kind pass in every place, style and explode', async () => {
  const cases = FORMS.flatMap((form) =>
    KINDS.flatMap(({ what, schema, valid, invalid }): Case[] => {
      const calls = (values: readonly Json[]) =>
        values
          .map((value) => written(form, value))
          .filter((text) => text !== null)
          .map((text) => callWith(form, text))
      if (calls(valid).length === 0) return []
      return [
        {
          what: `${what} in ${form.in}, ${form.style}${form.explode ? ', exploded' : ''}`,
          ...(form.in === 'path' ? { template: '/{p}' } : {}),
          operation: { parameters: [{ name: 'p', required: true, schema, ...form }] },
          valid: calls(valid),
          invalid: calls(invalid),
        },
      ]
    }),
  )
  assert.ok(cases.length > 100)
  await prove('styles', '3.1.0', cases, COMPONENTS)
})

const parameter = (schema: unknown, more: object = {}) => ({
  parameters: [{ name: 'p', in: 'query', schema, ...more }],
})
const json = (schema: unknown, type = 'application/json') => ({
  requestBody: { required: true, content: { [type]: { schema } } },
})
const body = (value: unknown, type = 'application/json'): Call => ({
  path: '',
  headers: { 'content-type': type },
  body: typeof value === 'string' ? value : JSON.stringify(value),
})
const query = (...texts: string[]): Call[] => texts.map((text) => ({ path: `?${text}` }))

test('calls that a description of OpenAPI 3.1 allows pass', async () => {
  const patch = {
    requestBody: {
      content: {
        'application/json-patch+json': { schema: { type: 'array' } },
        'application/merge-patch+json': { schema: { type: 'object' } },
        'application/*': { schema: { type: 'string' } },
      },
    },
  }
  await prove(
    'modern',
    '3.1.0',
    [
      {
        what: 'empty values',
        operation: parameter({ type: 'integer' }, { allowEmptyValue: true }),
        valid: query('p=', 'p', 'p=3', ''),
        invalid: query('p=x'),
      },
      {
        what: 'null',
        operation: parameter({ type: ['integer', 'null'] }),
        valid: query('p=', 'p=null', 'p=1'),
        invalid: query('p=x'),
      },
      {
        what: 'forms of numbers',
        operation: parameter({ type: 'integer' }),
        valid: query('p=1e3', 'p=-0', 'p=1.0', 'p=12345678901234567890', 'p=-9223372036854775808'),
        invalid: query('p=1.5', 'p=0x1'),
      },
      { what: 'no schema', operation: parameter(undefined), valid: query('p=1', 'p=1&p=2', 'p=') },
      {
        what: 'JSON in a parameter',
        operation: {
          parameters: [
            {
              name: 'p',
              in: 'query',
              content: { 'application/json': { schema: { type: 'object', required: ['a'] } } },
            },
          ],
        },
        valid: query(`p=${encodeURIComponent('{"a":1}')}`),
        invalid: query('p={}'),
      },
      {
        what: 'XML in a parameter',
        operation: {
          parameters: [
            { name: 'p', in: 'query', content: { 'application/xml': { schema: { type: 'object' } } } },
          ],
        },
        valid: query('p=%3Ca/%3E'),
      },
      {
        what: 'times',
        operation: parameter({ type: 'string', format: 'date-time' }),
        valid: query('p=2026-01-01t00:00:00z', 'p=1998-12-31T23:59:60Z', 'p=2026-01-01T00:00:00.1%2B05:30'),
        invalid: query('p=today'),
      },
      {
        what: 'two parts of a segment',
        template: '/{position}.{ext}',
        operation: {
          parameters: [
            { name: 'position', in: 'path', required: true, schema: { type: 'string' } },
            { name: 'ext', in: 'path', required: true, schema: { enum: ['png'] } },
          ],
        },
        valid: [{ path: '/a.png' }, { path: '/1.5.png' }],
        invalid: [{ path: '/a.gif' }],
      },
      {
        what: 'exploded object beside others',
        operation: {
          parameters: [
            {
              name: 'o',
              in: 'query',
              required: true,
              schema: { type: 'object', additionalProperties: { type: 'string' } },
            },
          ],
        },
        valid: query('a=1&b=2', 'b=3'),
      },
      {
        what: 'lines of a header',
        operation: { parameters: [{ name: 'X-Ids', in: 'header', schema: LIST }] },
        valid: [{ path: '', headers: { 'x-ids': '1, 2,3' } }],
        invalid: [{ path: '', headers: { 'x-ids': '1, b' } }],
      },
      {
        what: 'each media type by its schema',
        method: 'patch',
        operation: patch,
        valid: [
          body([], 'application/json-patch+json'),
          body({}, 'application/merge-patch+json'),
          body('"text"', 'application/json'),
        ],
        invalid: [body({}, 'application/json-patch+json'), body([], 'application/merge-patch+json')],
      },
      {
        what: 'long numbers in a body',
        method: 'post',
        operation: json({
          properties: {
            n: { type: 'integer', multipleOf: 10, exclusiveMaximum: 1e30 },
            m: { type: 'array', uniqueItems: true },
          },
        }),
        valid: [
          body('{"n":12345678901234567890}'),
          body('{"m":[9007199254740993,9007199254740992]}'),
          body('{"n":1e400}'.replace('1e400', '1e20')),
        ],
        invalid: [body('{"n":15}'), body('{"m":[1,1]}')],
      },
      {
        what: 'white space of ECMA-262',
        method: 'post',
        operation: json({ type: 'string', pattern: '^\\S+\\s\\S+$' }),
        valid: [body('"a\\u00a0b"'), body('"a\\ufeffb"'), body('"a b"')],
        invalid: [body('"a"')],
      },
      {
        what: 'an expression that is not regular',
        method: 'post',
        operation: json({ not: { type: 'string', pattern: '^(?=a)' } }),
        valid: [body('"b"'), body('"a"')],
      },
      {
        what: 'a composed object that is closed',
        method: 'post',
        operation: json({
          allOf: [{ $ref: '#/components/schemas/Base' }],
          properties: { b: true },
          unevaluatedProperties: false,
        }),
        valid: [body({ a: 'x', b: 1 })],
      },
      {
        what: 'read-only behind references',
        method: 'post',
        operation: json({ allOf: [{ $ref: '#/components/schemas/Entity' }, { required: ['name'] }] }),
        valid: [body({ name: 'a' }), body({ name: 'a', owner: { mail: 'b' } })],
        invalid: [body({})],
      },
      {
        what: 'choices by a discriminator',
        method: 'post',
        operation: json({
          oneOf: [{ $ref: '#/components/schemas/Cat' }, { $ref: '#/components/schemas/Dog' }],
          discriminator: { propertyName: 'kind', mapping: { cat: '#/components/schemas/Cat' } },
        }),
        valid: [body({ kind: 'cat', born: '2020-01-01' }), body({ kind: 'dog' })],
        invalid: [body({ kind: 'fish' })],
      },
    ],
    {
      components: {
        schemas: {
          Base: { type: 'object', properties: { a: { type: 'string' } } },
          Id: { type: 'string', format: 'uuid', readOnly: true },
          Entity: {
            type: 'object',
            required: ['id', 'owner', 'created'],
            properties: {
              id: { $ref: '#/components/schemas/Id' },
              created: { allOf: [{ type: 'string', readOnly: true }] },
              owner: { readOnly: true, allOf: [{ $ref: '#/components/schemas/Owner' }] },
            },
          },
          Owner: {
            type: 'object',
            required: ['id', 'mail'],
            properties: { id: { $ref: '#/components/schemas/Id' } },
          },
          Cat: {
            type: 'object',
            required: ['kind', 'id'],
            properties: {
              kind: { const: 'cat' },
              id: { $ref: '#/components/schemas/Id' },
              born: { format: 'date' },
            },
          },
          Dog: { type: 'object', required: ['kind'], properties: { kind: { const: 'dog' } } },
        },
      },
    },
  )
})

test('calls that descriptions of OpenAPI 3.0 and 2.0 allow pass', async () => {
  await prove('three', '3.0.3', [
    {
      what: 'nullable',
      method: 'post',
      operation: json({
        type: 'object',
        properties: {
          a: { type: 'string', nullable: true, enum: ['x'] },
          b: { nullable: true, allOf: [{ type: 'object' }] },
        },
      }),
      valid: [body({ a: null, b: null }), body({ a: 'x', b: {} })],
      invalid: [body({ a: 'y' })],
    },
    {
      what: 'exclusive bounds as flags',
      operation: parameter({
        type: 'integer',
        minimum: 1,
        exclusiveMinimum: true,
        maximum: 3,
        exclusiveMaximum: false,
      }),
      valid: query('p=2', 'p=3'),
      invalid: query('p=1', 'p=4'),
    },
    {
      what: 'example and default',
      method: 'post',
      operation: json({
        type: 'object',
        required: ['a'],
        properties: { a: { type: 'integer', default: 1, example: 'not one' } },
      }),
      valid: [body({ a: 2 })],
      invalid: [body({})],
    },
    {
      what: 'bytes',
      method: 'post',
      operation: json({ type: 'string', format: 'byte' }),
      valid: [body('"aGk="'), body('"_-8"')],
    },
    {
      what: 'a form',
      method: 'post',
      operation: json({ type: 'object', required: ['a'] }, 'application/x-www-form-urlencoded'),
      valid: [body('a=1', 'application/x-www-form-urlencoded')],
    },
  ])
  const form = { in: 'formData', name: 'f', type: 'string', required: true }
  const list = (collectionFormat: string) => ({
    parameters: [{ name: 'p', in: 'query', type: 'array', items: { type: 'integer' }, collectionFormat }],
  })
  await prove(
    'two',
    '2.0',
    [
      {
        what: 'a form without consumes',
        method: 'post',
        operation: { parameters: [form] },
        valid: [
          body('f=1', 'application/x-www-form-urlencoded'),
          body('--x--', 'multipart/form-data; boundary=x'),
        ],
      },
      {
        what: 'a shared form field',
        method: 'post',
        operation: { parameters: [{ $ref: '#/parameters/F' }] },
        valid: [body('f=1', 'application/x-www-form-urlencoded')],
      },
      {
        what: 'a body without consumes',
        method: 'post',
        operation: { parameters: [{ name: 'b', in: 'body', schema: { type: 'object' } }] },
        valid: [body({}), body('<a/>', 'application/xml')],
        invalid: [body([])],
      },
      { what: 'csv', operation: list('csv'), valid: query('p=1,2'), invalid: query('p=1,x') },
      { what: 'ssv', operation: list('ssv'), valid: query('p=1%202'), invalid: query('p=1%20x') },
      { what: 'tsv', operation: list('tsv'), valid: query('p=1%092'), invalid: query('p=1%09x') },
      { what: 'pipes', operation: list('pipes'), valid: query('p=1|2'), invalid: query('p=1|x') },
      { what: 'multi', operation: list('multi'), valid: query('p=1&p=2'), invalid: query('p=1&p=x') },
    ],
    { parameters: { F: form } },
  )
})

test('a call that is valid for one of several operations of a route is not refused for another', async () => {
  const operation = (name: string, schema: object) => ({
    post: {
      operationId: name,
      parameters: [
        { name, in: 'path', required: true, schema },
        { name: 'page', in: 'query', required: true, schema },
      ],
      requestBody: { required: true, content: { 'application/json': { schema } } },
      responses: { 200: { description: 'ok' } },
    },
  })
  await prove(
    'shared',
    '3.1.0',
    [
      {
        what: 'first',
        method: 'post',
        template: '/{a}',
        operation: operation('a', { type: 'integer' }).post,
        valid: [
          { ...body('1'), path: '/1?page=2' },
          { ...body('"x"'), path: '/x?page=y' },
        ],
        invalid: [{ ...body('1'), path: '/1' }],
      },
    ],
    {
      paths: { '/0/{a}': operation('a', { type: 'integer' }), '/0/{b}': operation('b', { type: 'string' }) },
    },
  )
})

test('bodies that another validator finds valid pass, whatever the schema is made of', async () => {
  setShouldValidateSchema(false)
  const schemas = fc.sample(made(4), { numRuns: fuzzCases(60, 1000), seed: SEED })
  const cases: Case[] = []
  let count = 0
  for (const [index, { schema, value }] of schemas.entries()) {
    const uri = `https://postern.test/body/${index}`
    registerSchema(schema as SchemaObject, uri, 'https://json-schema.org/draft/2020-12/schema')
    const valid: Call[] = []
    for (const { full, sent } of fc.sample(value, { numRuns: 8, seed: SEED }))
      if ((await validate(uri, full as Parameters<Validator>[0], 'FLAG')).valid)
        valid.push(body(JSON.stringify(sent)))
    count += valid.length
    const shared = index % 2 === 0 ? schema : { $ref: `#/components/schemas/S${index}` }
    cases.push({ what: `schema ${index}`, method: 'post', operation: json(shared), valid })
  }
  assert.ok(count > schemas.length * 2, `${count} of ${schemas.length}`)
  const components = {
    schemas: Object.fromEntries(schemas.map(({ schema }, index) => [`S${index}`, schema])),
  }
  await prove('bodies', '3.1.0', cases, { components })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Plain } from '../../base/json/storable.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'
import { toCollection } from './collection.ts'
import { fromOpenApi } from './versions.ts'

const json = (schema: object) => ({ required: true, content: { 'application/json': { schema } } })

/** Judges bodies by the contract of the only operation of a description. */
function contractOf(description: Plain) {
  const { proxies, schemas, warnings } = toCollection(fromOpenApi(description), {
    base_path: '/a',
    upstream: 'http://127.0.0.1:9',
  })
  const schema = proxies[0]?.request_schema ?? true
  const judge = createSchemaJudges(schemas ?? {}, true).of(schema, 'request')
  return { judge, schema, schemas, warnings }
}

function ofThree(schema: object, schemas: object = {}, openapi = '3.0.3') {
  return contractOf({
    openapi,
    info: { title: 'T', version: '1' },
    paths: { '/a': { post: { requestBody: json(schema), responses: { 200: { description: '' } } } } },
    components: { schemas },
  })
}

function ofTwo(schema: object, definitions: object) {
  return contractOf({
    swagger: '2.0',
    info: { title: 'T', version: '1' },
    paths: {
      '/a': {
        post: {
          consumes: ['application/json'],
          parameters: [{ in: 'body', name: 'b', required: true, schema }],
          responses: { 200: { description: '' } },
        },
      },
    },
    definitions,
  })
}

const POINT = { type: 'object', properties: { a: { type: 'string' } } }

test('what stands beside a reference is ignored in 2.0 and 3.0, and narrows the schema in 3.1', () => {
  const siblings = { type: 'string', enum: ['x'], required: ['b'], allOf: [{ type: 'null' }] }
  const three = ofThree(
    { $ref: '#/components/schemas/R', ...siblings, description: 'The point.' },
    { R: POINT },
  )
  const two = ofTwo({ $ref: '#/definitions/R', ...siblings }, { R: POINT })
  const inner = ofThree(
    { type: 'array', items: { $ref: '#/components/schemas/R', ...siblings } },
    { R: POINT },
  )
  assert.equal(three.judge({ a: 'x' }), null)
  assert.notEqual(three.judge({ a: 1 }), null)
  assert.deepEqual(three.schema, { $ref: '#/$defs/R', description: 'The point.' })
  assert.equal(two.judge({ a: 'x' }), null)
  assert.equal(inner.judge([{ a: 'x' }]), null)
  const modern = ofThree({ $ref: '#/components/schemas/R', required: ['b'] }, { R: POINT }, '3.1.0')
  assert.notEqual(modern.judge({ a: 'x' }), null)
})

test('a reference that is nullable takes null, whatever else stands beside it', () => {
  for (const beside of [{}, { type: 'object' }, { enum: ['x'] }]) {
    const { judge } = ofThree({ $ref: '#/components/schemas/R', nullable: true, ...beside }, { R: POINT })
    assert.equal(judge(null), null)
    assert.equal(judge({ a: 'x' }), null)
    assert.notEqual(judge('x'), null)
  }
})

test('properties with the names of keywords and data that looks like a reference are left as they are', () => {
  const { judge, schema } = ofThree(
    {
      type: 'object',
      properties: {
        properties: { $ref: '#/components/schemas/R', type: 'string' },
        $ref: { type: 'string' },
        discriminator: { type: 'string', enum: ['x'] },
        default: { $ref: '#/components/schemas/R', type: 'string' },
      },
      required: ['$ref'],
      default: { $ref: 'x', type: 'y' },
    },
    { R: POINT },
  )
  assert.equal(judge({ properties: { a: 'x' }, $ref: 'x', discriminator: 'x', default: {} }), null)
  assert.notEqual(judge({}), null)
  assert.deepEqual((schema as { default?: unknown }).default, { $ref: 'x', type: 'y' })
})

test('null matches alternatives once that are nullable, also when one of them is null', () => {
  const E = { type: 'string', enum: ['a'] }
  const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
  for (const [schemas, names] of [
    [{ E, NullEnum: { enum: [null] } }, ['E', 'NullEnum']],
    [{ E, F: { type: 'integer' } }, ['E', 'F']],
    [{ E: { ...E, nullable: true }, F: { type: 'integer', nullable: true } }, ['E', 'F']],
    [{ E, F: { properties: { a: {} }, minimum: 2, not: { type: 'string' } } }, ['E', 'F']],
  ] as const)
    for (const keyword of ['oneOf', 'anyOf']) {
      const o = { nullable: true, [keyword]: names.map(ref) }
      const { judge } = ofThree({ type: 'object', properties: { o } }, schemas)
      assert.equal(judge({ o: null }), null)
      assert.equal(judge({ o: 'a' }), null)
      assert.notEqual(judge({ o: 'b' }), null)
    }
})

test('the discriminator of 2.0 is not required', () => {
  const B = { type: 'object', discriminator: 'kind', properties: { kind: { type: 'string' } } }
  const { judge, schemas } = ofTwo({ $ref: '#/definitions/B' }, { B })
  assert.equal(judge({}), null)
  assert.equal(judge({ kind: 'x' }), null)
  assert.notEqual(judge({ kind: 1 }), null)
  assert.deepEqual(schemas, { B: { ...B, discriminator: { propertyName: 'kind' } } })
})

test('alternatives are named by the components of the description, whatever the definitions are called', () => {
  const cat = {
    type: 'object',
    required: ['kind'],
    properties: { kind: { type: 'string' }, n: { type: 'integer' } },
  }
  const one = (name: string) => ({ $ref: `#/components/schemas/${encodeURIComponent(name)}` })
  const discriminator = { propertyName: 'kind', mapping: { dog: 'Dog', kitten: './kitten.yaml' } }
  const { judge, warnings } = ofThree(
    { oneOf: [one('a Cat'), one('Dog')], discriminator, nullable: true },
    {
      'a Cat': cat,
      Dog: { ...cat, properties: { kind: { type: 'string' }, born: { type: 'string', format: 'date' } } },
    },
  )
  for (const kind of ['a Cat', 'dog', 'Dog']) assert.equal(judge({ kind }), null)
  assert.notEqual(judge({ kind: 'a Cat', n: 'x' }), null)
  assert.equal(judge({ kind: 'dog', n: 'x' }), null)
  // It leads to no schema of the description: either may be meant
  assert.equal(judge({ kind: 'kitten', n: 'x' }), null)
  for (const body of [{ kind: 'a_Cat2' }, { n: 1 }, {}, 'x']) assert.notEqual(judge(body), null)
  assert.equal(judge(null), null)
  assert.deepEqual(warnings, [])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { boundedSchema } from './bounded.ts'

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))
const object = (properties: object, more: object = {}): JsonSchema =>
  ({ type: 'object', properties, ...more }) as JsonSchema

test('references are put in place, with what stands beside them', () => {
  const defs = {
    Order: object({
      id: { $ref: '#/$defs/Id' },
      buyer: { $ref: '#/$defs/a~1b%20c', description: 'Who pays' },
    }),
    Id: { type: 'string', format: 'uuid' },
    'a/b c': { type: 'string', description: 'A person', maxLength: 9 },
  }
  assert.deepEqual(boundedSchema({ $ref: '#/$defs/Order' }, defs, 4096), {
    type: 'object',
    properties: {
      id: { type: 'string', format: 'uuid' },
      buyer: { type: 'string', maxLength: 9, description: 'Who pays' },
    },
  })
})

test('a reference beside something narrower keeps both', () => {
  const schema = { $ref: '#/$defs/A', required: ['b'] }
  assert.deepEqual(boundedSchema(schema, { A: object({ a: true }) }, 4096), {
    allOf: [object({ a: {} }), { description: 'Requires b.' }],
  })
})

test('an allOf of one is that one', () => {
  const schema = { allOf: [{ $ref: '#/$defs/A' }], description: 'here', default: {} }
  assert.deepEqual(boundedSchema(schema, { A: { type: 'object', description: 'there' } }, 4096), {
    type: 'object',
    default: {},
    description: 'here',
  })
})

test('definitions inside the schema itself are found', () => {
  const schema = { $ref: '#/$defs/A', $defs: { A: { type: 'string' } } }
  assert.deepEqual(boundedSchema(schema, { A: { type: 'number' } }, 4096), { type: 'string' })
})

test('what contains itself is shown once and then named', () => {
  const defs = {
    Node: object({ value: { type: 'integer' }, next: { $ref: '#/$defs/Node' } }, { required: ['value'] }),
  }
  assert.deepEqual(boundedSchema({ $ref: '#/$defs/Node' }, defs, 4096), {
    type: 'object',
    required: ['value'],
    properties: {
      value: { type: 'integer' },
      next: { description: 'Node, which contains itself; see above.' },
    },
  })
})

test('over the budget, what is near the root is expanded and the rest keeps type, title and required names', () => {
  const leaf = object(
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`field${i}`, { type: 'string' }])),
    { title: 'A leaf', required: ['field7'] },
  )
  const defs = {
    Leaf: leaf,
    Middle: object({ one: { $ref: '#/$defs/Leaf' }, two: { $ref: '#/$defs/Leaf' } }),
  }
  const schema = object({
    first: { $ref: '#/$defs/Middle' },
    second: { type: 'integer', description: 'Count' },
  })
  const result = boundedSchema(schema, defs, 700)
  assert.ok(bytes(result) <= 700)
  const { first, second } = (result as { properties: Record<string, { properties: Record<string, object> }> })
    .properties
  assert.deepEqual(second, { type: 'integer', description: 'Count' })
  assert.deepEqual(first?.properties['two'], {
    type: 'object',
    title: 'A leaf',
    description: 'Leaf, not expanded. Requires field7.',
  })
})

test('required properties are shown first when not all fit, in the order of the description', () => {
  const names = Array.from({ length: 500 }, (_, i) => `property_${i}`)
  const schema = object(
    Object.fromEntries(names.map((name) => [name, { type: 'string', description: 'x'.repeat(900) }])),
    {
      required: ['property_490', 'property_3'],
    },
  )
  const result = boundedSchema(schema, {}, 2000) as { properties: object; description: string }
  assert.ok(bytes(result) <= 2000)
  const shown = Object.keys(result.properties)
  assert.ok(shown.includes('property_490') && shown.length > 10)
  assert.equal(shown[0], 'property_0')
  assert.equal(shown.at(-1), 'property_490')
  assert.match(result.description, /^\d+ more parts are not shown\.$/)
})

test('long texts and lists are shortened', () => {
  const schema = {
    type: 'string',
    description: 'word '.repeat(1000),
    enum: Array.from({ length: 1000 }, (_, i) => `value ${i}`),
    default: 'x'.repeat(5000),
    pattern: 'y'.repeat(5000),
    'x-own': 1,
  }
  const whole = boundedSchema(schema, {}, 24_576) as Record<string, unknown>
  assert.deepEqual(Object.keys(whole).sort(), ['description', 'enum', 'type'])
  assert.deepEqual(whole['enum'], schema.enum)
  assert.match(String(whole['description']), /^word .*word…$/)
  assert.ok(String(whole['description']).length <= 1024)
  const cut = boundedSchema(schema, {}, 3000) as Record<string, unknown>
  assert.deepEqual(Object.keys(cut).sort(), ['description', 'examples', 'type'])
  assert.match(String(cut['description']), /^One of 1000 values, \d+ not shown\. word .*word…$/)
  assert.ok(bytes(cut) <= 3000)
  assert.ok(String(cut['description']).length <= 1024)
})

test('however small the budget, the result is a schema within it', () => {
  const schema = object({ a: { type: 'string' } }, { required: ['a'], title: 'T', description: 'D' })
  for (let max = 2; max < 200; max++) assert.ok(bytes(boundedSchema(schema, {}, max)) <= max, String(max))
  assert.deepEqual(boundedSchema(schema, {}, 17), { type: 'object' })
  assert.deepEqual(boundedSchema(false, {}, 4), {})
  assert.equal(boundedSchema(false, {}, 5), false)
})

test('a thousand large unions cost no more than the budget', () => {
  const defs = Object.fromEntries(
    Array.from({ length: 1000 }, (_, i) => [
      `D${i}`,
      { anyOf: Array.from({ length: 1000 }, (_, j) => ({ $ref: `#/$defs/D${(i * 7 + j) % 1000}` })) },
    ]),
  )
  assert.ok(bytes(boundedSchema({ $ref: '#/$defs/D0' }, defs, 24_576)) <= 24_576)
})

test('whatever the schemas are, the result is bounded and the same every time', () => {
  const names = fc.constantFrom('A', 'B', 'C', '__proto__', 'constructor', 'a/b')
  const { schema } = fc.letrec<{ schema: unknown; any: unknown }>((tie) => ({
    any: fc.oneof({ depthSize: 'small' }, tie('schema'), fc.jsonValue({ maxDepth: 2 })),
    schema: fc.oneof(
      { depthSize: 'small' },
      names.map((name) => ({ $ref: `#/$defs/${name.replace('/', '~1')}` })),
      fc.boolean(),
      fc.record(
        {
          $ref: fc.oneof(
            names.map((name) => `#/$defs/${name}`),
            fc.jsonValue({ maxDepth: 1 }),
          ),
          type: fc.oneof(fc.constantFrom('object', 'array', 'string'), fc.jsonValue({ maxDepth: 1 })),
          title: fc.oneof(fc.string(), fc.integer()),
          description: fc.oneof(fc.string({ maxLength: 3000, unit: 'binary' }), fc.constant(null)),
          required: fc.oneof(fc.array(names), fc.jsonValue({ maxDepth: 1 })),
          properties: fc.oneof(fc.dictionary(names, tie('any')), tie('any')),
          allOf: fc.oneof(fc.array(tie('any'), { maxLength: 3 }), tie('any')),
          anyOf: fc.oneof(fc.array(tie('any'), { maxLength: 3 }), tie('any')),
          items: tie('any'),
          additionalProperties: tie('any'),
          enum: fc.oneof(fc.array(fc.jsonValue({ maxDepth: 1 })), fc.integer()),
          default: fc.jsonValue({ maxDepth: 2 }),
          examples: fc.jsonValue({ maxDepth: 2 }),
        },
        { requiredKeys: [] },
      ),
    ),
  }))
  fc.assert(
    fc.property(
      schema,
      fc.dictionary(names, schema),
      fc.integer({ min: 2, max: 3000 }),
      (root, defs, max) => {
        const result = boundedSchema(root as JsonSchema, defs, max)
        assert.ok(bytes(result) <= max)
        assert.equal(JSON.stringify(result), JSON.stringify(boundedSchema(root as JsonSchema, defs, max)))
      },
    ),
    { numRuns: 400 },
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { createSchemaJudges } from './judge.ts'

const PETS: Readonly<Record<string, unknown>> = {
  Cat: {
    type: 'object',
    required: ['kind'],
    properties: { kind: { type: 'string' }, lives: { type: 'integer' } },
  },
  Dog: {
    type: 'object',
    required: ['kind'],
    properties: { kind: { type: 'string' }, bark: { type: 'string' } },
  },
}
const MAPPING = { cat: '#/$defs/Cat', dog: '#/$defs/Dog' }

function pets(discriminator: object, keyword = 'oneOf', more: readonly object[] = []): object {
  return {
    [keyword]: [{ $ref: '#/$defs/Cat' }, { $ref: '#/$defs/Dog' }, ...more],
    discriminator,
  }
}

function judged(schema: object, shared: Readonly<Record<string, unknown>> = {}) {
  return createSchemaJudges(shared, true).of(schema as JsonSchema, 'request')
}

test('a value is judged by the alternative that its discriminator names, and by no other', () => {
  const nothing = [{ type: 'null' }]
  for (const schema of [
    pets({ propertyName: 'kind', mapping: MAPPING }),
    pets({ propertyName: 'kind', mapping: MAPPING }, 'anyOf'),
    pets({ propertyName: 'kind', mapping: { cat: 'Cat', dog: 'Dog' } }, 'oneOf', nothing),
  ])
    for (const judge of [judged(schema, PETS), judged({ ...schema, $defs: PETS })]) {
      // Both alternatives take it: without the discriminator oneOf would refuse it
      assert.equal(judge({ kind: 'cat' }), null)
      assert.equal(judge({ kind: 'Dog', bark: 'x' }), null)
      assert.deepEqual(judge({ kind: 'cat', lives: 'nine' }), [
        { pointer: '/lives', reason: 'must be integer' },
      ])
      assert.deepEqual(judge({ kind: 'cow' }), [
        { pointer: '/kind', reason: 'must be one of ["Cat","Dog","cat","dog"]' },
      ])
      assert.deepEqual(judge({}), [{ pointer: '/kind', reason: 'is required' }])
      for (const kind of ['toString', null, ['cat'], { cat: 1 }]) assert.notEqual(judge({ kind }), null)
      for (const value of [[], 'cat', 1]) assert.notEqual(judge(value), null)
    }
})

test('null and other values that are no objects are judged by the alternatives for them', () => {
  const discriminator = { propertyName: 'kind', mapping: MAPPING }
  assert.notEqual(judged(pets(discriminator), PETS)(null), null)
  for (const nothing of [{ type: 'null' }, { enum: [null] }, { $ref: '#/$defs/Nothing' }]) {
    const judge = judged(pets(discriminator, 'oneOf', [nothing, { type: 'string' }]), {
      ...PETS,
      Nothing: { enum: [null] },
    })
    assert.equal(judge(null), null)
    assert.equal(judge('text'), null)
    assert.notEqual(judge(1), null)
    assert.notEqual(judge({}), null)
  }
})

test('the values that alternatives state for the property name them', () => {
  const stated = (kind: object): object => ({ properties: { kind } })
  const judge = judged(
    {
      oneOf: [
        { allOf: [{ $ref: '#/$defs/Cat' }, stated({ enum: ['c'] })] },
        { allOf: [{ $ref: '#/$defs/Dog' }, stated({ $ref: '#/$defs/DogKind' })] },
        stated({ anyOf: [{ const: 7 }, { const: true }] }),
      ],
      discriminator: { propertyName: 'kind' },
    },
    { ...PETS, DogKind: { type: 'string', const: 'd' } },
  )
  for (const kind of ['c', 'd']) assert.equal(judge({ kind }), null)
  // The text names the alternative, and its own schema says the type
  const scalars = judged({
    oneOf: [stated({ const: 7 }), stated({ const: true })],
    discriminator: { propertyName: 'kind' },
  })
  assert.equal(scalars({ kind: 7 }), null)
  assert.equal(scalars({ kind: true }), null)
  for (const kind of ['7', 8, 'x']) assert.notEqual(scalars({ kind }), null)
  assert.deepEqual(judge({ kind: 'x' }), [
    { pointer: '/kind', reason: 'must be one of ["c","d","7","true"]' },
  ])
})

test('a value that names several alternatives must fit as without a discriminator', () => {
  const Base = { required: ['kind'], properties: { kind: { enum: ['cat', 'dog'] } } }
  const shared = {
    Base,
    Cat: { allOf: [{ $ref: '#/$defs/Base' }, { properties: { bark: false } }] },
    Dog: { required: ['bark'], allOf: [{ $ref: '#/$defs/Base' }] },
  }
  const judge = judged(pets({ propertyName: 'kind' }), shared)
  assert.equal(judge({ kind: 'cat' }), null)
  assert.equal(judge({ kind: 'dog', bark: 1 }), null)
  assert.notEqual(judge({ kind: 'cow' }), null)
  assert.notEqual(judge({}), null)
  // The mapping says which is meant
  const mapped = judged(pets({ propertyName: 'kind', mapping: MAPPING }), shared)
  assert.deepEqual(mapped({ kind: 'cat', bark: 1 }), [{ pointer: '/bark', reason: 'is not allowed here' }])
})

test('alternatives that do not say their values, and entries that lead elsewhere, refuse nothing that fits', () => {
  const unnamed = judged({
    oneOf: [{ type: 'object', required: ['a'] }, { required: ['b'] }],
    discriminator: { propertyName: 'kind' },
  })
  assert.equal(unnamed({ a: 1 }), null)
  assert.notEqual(unnamed({ a: 1, b: 1 }), null)
  assert.notEqual(unnamed({}), null)
  const elsewhere = judged(
    pets({ propertyName: 'kind', mapping: { ...MAPPING, kitten: './kitten.yaml' } }, 'anyOf'),
    PETS,
  )
  assert.equal(elsewhere({ kind: 'kitten' }), null)
  assert.notEqual(elsewhere({ kind: 'kitten', lives: 'x', bark: 1 }), null)
  assert.notEqual(elsewhere({ kind: 'puppy' }), null)
  // A base stands for the schemas that extend it
  const base = judged(
    { oneOf: [{ $ref: '#/$defs/Pet' }, { $ref: '#/$defs/Dog' }], discriminator: { propertyName: 'kind' } },
    { ...PETS, Pet: { ...(PETS['Cat'] as object), discriminator: { propertyName: 'kind' } } },
  )
  assert.equal(base({ kind: 'siamese' }), null)
  assert.notEqual(base({ kind: 'siamese', lives: 'x' }), null)
})

test('an alternative with alternatives of its own is named by the values of all of them', () => {
  const shared = {
    ...PETS,
    Any: pets({ propertyName: 'kind', mapping: MAPPING }),
    Stone: { type: 'object', properties: { kind: { const: 'stone' } } },
  }
  const judge = judged(
    { oneOf: [{ $ref: '#/$defs/Any' }, { $ref: '#/$defs/Stone' }], discriminator: { propertyName: 'kind' } },
    shared,
  )
  for (const kind of ['cat', 'dog', 'Cat', 'stone']) assert.equal(judge({ kind }), null)
  for (const kind of ['cow', 'Any']) assert.notEqual(judge({ kind }), null)
})

test('the default alternative judges values that are missing or unknown', () => {
  const judge = judged(
    {
      oneOf: [{ $ref: '#/$defs/Cat' }, { $ref: '#/$defs/Other' }],
      discriminator: { propertyName: 'kind', defaultMapping: '#/$defs/Other' },
    },
    { ...PETS, Other: { type: 'object', required: ['note'] } },
  )
  assert.equal(judge({ note: 1 }), null)
  assert.equal(judge({ kind: 'x', note: 1 }), null)
  assert.notEqual(judge({ kind: 'x' }), null)
  assert.notEqual(judge({ kind: 'Cat', lives: 'x', note: 1 }), null)
})

test('alternatives that are judged loosely are told apart as well', () => {
  const shared = {
    Cat: {
      type: 'object',
      properties: { kind: { type: 'string' }, born: { type: 'string', format: 'date' } },
    },
    Dog: { type: 'object', properties: { kind: { type: 'string' }, born: { type: 'integer' } } },
  }
  const judge = judged(pets({ propertyName: 'kind', mapping: MAPPING }), shared)
  assert.equal(judge({ kind: 'cat', born: '2024-01-01' }), null)
  assert.notEqual(judge({ kind: 'cat', born: 1 }), null)
  assert.notEqual(judge({ born: 1 }), null)
})

test('what a named alternative evaluates counts, and schemas that lead back to themselves end', () => {
  const closed = judged({
    ...pets({ propertyName: 'kind', mapping: MAPPING }),
    unevaluatedProperties: false,
    $defs: PETS,
  })
  assert.equal(closed({ kind: 'cat', lives: 9 }), null)
  const circle = {
    A: { oneOf: [{ $ref: '#/$defs/A' }, { $ref: '#/$defs/B' }], discriminator: { propertyName: 'kind' } },
    B: { allOf: [{ $ref: '#/$defs/B' }, { $ref: '#/$defs/A' }] },
  }
  assert.notEqual(judged({ $ref: '#/$defs/A' }, circle)({ kind: 'C' }), null)
})

test('discriminators that lead to each other in many ways are read within a bound', () => {
  const wide = Object.fromEntries(
    Array.from({ length: 30 }, (_, at) => [
      `S${at}`,
      {
        type: 'object',
        allOf: Array.from({ length: 8 }, () => ({ $ref: `#/$defs/S${Math.min(at + 1, 29)}` })),
      },
    ]),
  )
  const judge = judged(
    { oneOf: [{ $ref: '#/$defs/S0' }, { $ref: '#/$defs/S1' }], discriminator: { propertyName: 'kind' } },
    wide,
  )
  // What takes too long to be read is open
  assert.doesNotThrow(() => judge({ kind: 'S0' }))
})

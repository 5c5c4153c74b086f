import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzCases } from '../../../test/support/long.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { Effort, FREE_STEPS, stepsMax } from './effort.ts'
import { createSchemaJudges, ERRORS_MAX } from './judge.ts'
import { itemTypesOf, propertyTypesOf, typesOf } from './types.ts'

/** Keeps the largest number of steps of its judgements. */
class Counting extends Effort {
  most = 0

  override run(...given: Parameters<Effort['run']>): boolean {
    try {
      return super.run(...given)
    } finally {
      this.most = Math.max(this.most, this.spent)
    }
  }
}

/** Judges values, and says how many steps it has taken at most. */
function counted(schema: JsonSchema, shared: Readonly<Record<string, unknown>> = {}) {
  const effort = new Counting()
  const judge = createSchemaJudges(shared, true, effort).of(schema, 'request')
  return (value: unknown) => {
    const errors = judge(value)
    return { errors, spent: effort.most }
  }
}

function inside(depth: number, end: unknown, name = 'not'): unknown {
  let value = end
  for (let i = 0; i < depth; i++) value = { [name]: value }
  return value
}

/** Each alternative leads back to the schema, and fails only after it has. */
const filter = (ref: string): JsonSchema => ({
  anyOf: [
    { type: 'object', properties: { not: { $ref: ref } }, required: ['not', 'a'] },
    { type: 'object', properties: { not: { $ref: ref }, note: { type: 'string' } }, required: ['not', 'b'] },
    { type: 'object', properties: { not: { $ref: ref } }, required: ['not', 'c'] },
    { type: 'object', properties: { not: { not: { $ref: ref } } }, required: ['not', 'd'] },
  ],
})

test('alternatives that fail count, and each part is judged by a definition once', () => {
  const own = counted({ $ref: '#/$defs/filter', $defs: { filter: filter('#/$defs/filter') } })
  const shared = counted({ $ref: '#/$defs/filter' }, { filter: filter('#/$defs/filter') })
  for (const judged of [own, shared])
    for (const depth of [14, 24, 95]) {
      const { errors, spent } = judged(inside(depth, 1))
      assert.ok(errors !== null && errors.length <= ERRORS_MAX)
      assert.ok(spent < FREE_STEPS, `${spent} steps at depth ${depth}`)
    }
})

test('a judgement whose results cannot be remembered ends at its bound, with an error', () => {
  // What a definition evaluates differs from place to place, so each way to it is walked
  const $defs: Record<string, JsonSchema> = { d25: {} }
  for (let i = 0; i < 25; i++)
    $defs[`d${i}`] = { anyOf: Array(2).fill({ $ref: `#/$defs/d${i + 1}` }), properties: { x: {} } }
  const value = { x: 1, y: 2 }
  const { errors, spent } = counted({ properties: { a: { $ref: '#/$defs/d0' } }, $defs })({ a: value })
  assert.equal(errors, null)
  assert.ok(spent < FREE_STEPS)
  const evaluated = counted({ allOf: [{ $ref: '#/$defs/d0' }], unevaluatedItems: false, $defs })(value)
  assert.deepEqual(evaluated.errors, [{ pointer: '', reason: 'takes too long to be judged' }])
  assert.ok(evaluated.spent <= stepsMax(value) + 100)
})

test('a schema that leads to itself without a value in between is given up', () => {
  const loop: JsonSchema = {
    $ref: '#/$defs/a',
    $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { anyOf: [{ $ref: '#/$defs/a' }] } },
  }
  assert.deepEqual(counted(loop)(1).errors, [{ pointer: '', reason: 'takes too long to be judged' }])
  assert.equal(counted({ items: { $ref: '#' } })(inside(30, 1)).errors, null)
})

test('many alternatives, names, patterns and items multiply only up to the bound', () => {
  const names = Array.from({ length: 300 }, (_, i) => `name${i}`)
  const object = Object.fromEntries(names.map((name) => [name, 'x'.repeat(20)]))
  const attacks: readonly (readonly [JsonSchema, unknown])[] = [
    [{ items: { anyOf: Array(1000).fill({ type: 'string' }) } }, Array(3000).fill(1)],
    [{ items: { enum: names.map((name) => [[name]]) } }, Array(3000).fill([[1]])],
    [{ patternProperties: Object.fromEntries(names.map((name) => [`${name}$`, true])) }, object],
    [{ propertyNames: { anyOf: names.map((pattern) => ({ pattern: `${pattern}[a-f]+$` })) } }, object],
    [{ allOf: Array(1000).fill({ required: names }) }, object],
    [{ allOf: Array(1000).fill({ uniqueItems: true }) }, names],
    [{ allOf: names.map(() => ({ const: object })) }, { ...object, last: 1 }],
    [{ allOf: Array(1000).fill({ pattern: 'y' }) }, 'x'.repeat(2000)],
    [{ allOf: Array(1000).fill({ format: 'byte' }) }, `${'\n'.repeat(30_000)}!`],
    [
      { contains: { contains: { contains: { anyOf: Array(1000).fill(false) } } } },
      Array(10).fill(Array(10).fill(names)),
    ],
  ]
  for (const [schema, value] of attacks) {
    const { spent } = counted(schema)(value)
    // The last keyword may spend more than was left, before it does anything
    assert.ok(spent <= stepsMax(value) + 300_000, `${JSON.stringify(schema).slice(0, 60)}: ${spent}`)
  }
})

test('what is remembered of one value is forgotten before the next', () => {
  const judged = counted({ $ref: '#/$defs/filter', $defs: { filter: filter('#/$defs/filter') } })
  const value = { not: inside(60, 1), a: 1 }
  const inner = value.not as Record<string, unknown>
  assert.notEqual(judged(value).errors, null)
  for (let at: unknown = inner; typeof at === 'object'; at = (at as Record<string, unknown>)['not'])
    (at as Record<string, unknown>)['a'] = 1
  assert.equal(
    judged(value).errors?.some(({ pointer }) => pointer === '/a'),
    false,
  )
})

test('preparing a schema takes a bounded number of looks, however its definitions lead to each other', () => {
  const $defs: Record<string, JsonSchema> = { d40: { type: 'string' } }
  for (let i = 0; i < 40; i++)
    $defs[`d${i}`] = { anyOf: Array(2).fill({ $ref: `#/$defs/d${i + 1}` }), properties: { a: {} } }
  const schema = { properties: { a: { $ref: '#/$defs/d0' } }, $defs } as JsonSchema
  assert.equal(counted(schema)({ a: 'x' }).errors, null)
  const definitions = {
    has: (name: string) => Object.hasOwn($defs, name),
    get: (name: string) => $defs[name],
  }
  assert.ok(typesOf(schema, definitions).size > 0)
  assert.ok(itemTypesOf($defs['d0'], definitions).size > 0)
  assert.ok(propertyTypesOf($defs['d0'], 'a', definitions).size > 0)
  const everywhere = {
    items: { anyOf: Array.from({ length: 6000 }, () => ({ allOf: [{ $ref: '#/$defs/d' }] })) },
    $defs: { d: { allOf: Array.from({ length: 900 }, () => ({ properties: { a: {} } })) } },
  } as JsonSchema
  assert.throws(() => counted(everywhere), /lead to each other in too many ways/)
})

const names = fc.constantFrom('a', 'b', 'c')
const ONE = [
  'not',
  'if',
  'then',
  'else',
  'items',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
]
const { schema: schemas } = fc.letrec<{ schema: unknown; member: [string, unknown] }>((tie) => ({
  member: fc.oneof(
    fc.tuple(fc.constantFrom(...ONE), tie('schema')),
    fc.tuple(
      fc.constantFrom('anyOf', 'oneOf', 'allOf'),
      fc.array(tie('schema'), { minLength: 1, maxLength: 3 }),
    ),
    fc.tuple(fc.constant('properties'), fc.dictionary(names, tie('schema'), { maxKeys: 2 })),
    fc.tuple(fc.constant('required'), fc.uniqueArray(names)),
    fc.tuple(fc.constant('type'), fc.constantFrom('object', 'array', 'string')),
    fc.constant<[string, unknown]>(['uniqueItems', true]),
  ),
  schema: fc.oneof(
    { maxDepth: 3 },
    names.map((name) => ({ $ref: `#/$defs/${name}` })),
    fc.array(tie('member'), { maxLength: 3 }).map((members) => Object.fromEntries(members)),
  ),
}))
const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(1, 'x', null, true),
    fc.dictionary(names, tie('value'), { maxKeys: 3 }),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
}))

test('whatever the schemas and the value are, a judgement ends within its bound', () => {
  fc.assert(
    fc.property(
      schemas,
      fc.record({ a: schemas, b: schemas, c: schemas }),
      values,
      fc.integer({ min: 0, max: 90 }),
      fc.boolean(),
      (root, definitions, value, depth, isShared) => {
        const schema = (isShared ? root : { ...(root as object), $defs: definitions }) as JsonSchema
        const deep = inside(depth, value, 'a')
        const { errors, spent } = counted(schema, isShared ? definitions : {})(deep)
        assert.ok(errors === null || (errors.length > 0 && errors.length <= ERRORS_MAX))
        assert.ok(spent <= stepsMax(deep) + 1000, `${spent}`)
      },
    ),
    { numRuns: fuzzCases(100, 20_000) },
  )
})

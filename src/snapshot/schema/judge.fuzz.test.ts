import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { fuzzCases } from '../../../test/support/long.ts'
import type { JsonSchema } from '../../model/proxy.ts'
import { Effort } from './effort.ts'
import { createSchemaJudges } from './judge.ts'

const NAMES = ['a', 'b', 'c', 'constructor', 'toString'] as const
const name = fc.constantFrom(...NAMES)
const scalar = fc.constantFrom(null, true, false, 0, 1, 2.5, -1, '', 'a', 'bb', '\u{1f600}')
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('any'), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie('any')), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
  ),
})).any

/** Schemas whose references lead to each other in every place that a schema can stand in. */
const schema = fc
  .letrec<{ any: object | boolean; keyword: readonly [string, unknown] }>((tie) => {
    const list = fc.array(tie('any'), { minLength: 1, maxLength: 3 })
    const map = fc.array(fc.tuple(name, tie('any')), { maxLength: 3 }).map((all) => Object.fromEntries(all))
    const count = fc.nat(3)
    const of = (keyword: string, part: fc.Arbitrary<unknown>): fc.Arbitrary<readonly [string, unknown]> =>
      part.map((one) => [keyword, one] as const)
    return {
      keyword: fc.oneof(
        of('$ref', fc.constantFrom('#/$defs/x', '#/$defs/y', '#/$defs/z')),
        of(
          'type',
          fc.oneof(
            fc.constantFrom('string', 'object', 'array', 'integer', 'number', 'null', 'boolean'),
            fc.uniqueArray(fc.constantFrom('string', 'object', 'array', 'integer', 'null'), {
              minLength: 1,
              maxLength: 3,
            }),
          ),
        ),
        of('const', value),
        of('enum', fc.array(value, { minLength: 1, maxLength: 3 })),
        ...['anyOf', 'oneOf', 'allOf', 'prefixItems'].map((keyword) => of(keyword, list)),
        ...['not', 'items', 'contains', 'additionalProperties', 'propertyNames'].map((keyword) =>
          of(keyword, tie('any')),
        ),
        ...['if', 'then', 'else', 'unevaluatedProperties', 'unevaluatedItems'].map((keyword) =>
          of(keyword, tie('any')),
        ),
        ...['properties', 'dependentSchemas'].map((keyword) => of(keyword, map)),
        of(
          'patternProperties',
          map.map((all) => renamed(all)),
        ),
        of('required', fc.uniqueArray(name, { maxLength: 2 })),
        of(
          'dependentRequired',
          fc
            .tuple(name, fc.uniqueArray(name, { maxLength: 2 }))
            .map(([one, all]) => Object.fromEntries([[one, all]])),
        ),
        ...['minItems', 'maxItems', 'minProperties', 'maxProperties', 'minLength', 'maxLength'].map(
          (keyword) => of(keyword, count),
        ),
        ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'].map((keyword) =>
          of(keyword, count),
        ),
        ...['minContains', 'maxContains'].map((keyword) => of(keyword, count)),
        of('pattern', fc.constantFrom('^a', 'b$', '.')),
        of('uniqueItems', fc.boolean()),
      ),
      any: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.boolean(),
        fc.array(tie('keyword'), { maxLength: 3 }).map((all) => Object.fromEntries(all)),
      ),
    }
  })
  .any.filter((one) => typeof one === 'object')

function renamed(map: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).map(([key, one]) => [`^${key.slice(0, 1)}`, one]))
}

const whole = fc
  .tuple(schema, schema, schema, schema)
  .map(([root, x, y, z]) => ({ ...(root as object), $defs: { x, y, z } }) as unknown as JsonSchema)

/**
 * What ajv reads in another way than the specification: `if` without a branch as nothing, `contains: false` as true, the items that
 * fit `contains: {}` as not evaluated, and `contains` beside `prefixItems` as nothing for an empty list.
 */
function isReadOtherwise(own: JsonSchema): boolean {
  const text = JSON.stringify(own)
  return (
    /"contains":(true|false|\{\})/.test(text) ||
    (text.includes('"contains"') && text.includes('"prefixItems"')) ||
    (text.includes('"if"') && text.includes('"unevaluated'))
  )
}

/** Keywords that turn around what is in them are loosened around `unevaluatedProperties` and `unevaluatedItems`. */
function isLoosened(own: JsonSchema): boolean {
  const text = JSON.stringify(own)
  return text.includes('"unevaluated') && /"(?:not|if|oneOf|maxContains)"/.test(text)
}

/** Steps of ours for a value that the other judge is asked about too. */
const STEPS_MAX = 300

/** Small enough that a judge without a bound ends: references that lead back into themselves multiply. */
function ajvSays(own: JsonSchema, one: unknown): boolean | null {
  const ajv = new Ajv2020({
    strict: false,
    ownProperties: true,
    logger: false,
    validateSchema: false,
    inlineRefs: false,
  })
  try {
    return ajv.compile(own as object)(one)
  } catch {
    // It refuses a schema, or follows a reference that leads to itself until its stack ends
    return null
  }
}

test('a value fits as ajv has it, for schemas of all keywords that refer to each other', () => {
  let compared = 0
  fc.assert(
    fc.property(whole, value, (own, one) => {
      const effort = new Effort()
      const errors = createSchemaJudges({}, true, effort).of(own, 'request')(one)
      // Without what is remembered for each reference it would take the other judge far too long
      if (effort.spent > STEPS_MAX || isReadOtherwise(own)) return
      const expected = ajvSays(own, one)
      if (expected === null) return
      // What is loosened may fit although it does not, and never the other way around
      if (isLoosened(own) && errors === null) return
      compared++
      assert.equal(errors === null, expected, JSON.stringify(errors))
    }),
    { numRuns: fuzzCases(1500) },
  )
  assert.ok(compared > 500, `${compared}`)
})

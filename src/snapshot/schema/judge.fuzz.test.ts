import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { anySchema, anyValue } from '../../../test/support/keyword-schemas.ts'
import { fuzzCases } from '../../../test/support/long.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { Effort } from './effort.ts'
import { createSchemaJudges } from './judge.ts'

/**
 * What ajv reads in another way than the specification: `if` without a branch as nothing, `contains: false` as true, the items that
 * fit `contains: {}` as not evaluated, every item beside another `contains` as evaluated, and `contains` beside `prefixItems` as
 * nothing for an empty list. In branches it forgets how many items `prefixItems`, `items: false` or `unevaluatedItems` have evaluated,
 * where another branch does not fit. For the members of one object it keeps what `contains` of a reference came to for the member before;
 * and it takes names that each object of JavaScript has as evaluated.
 */
function isReadOtherwise(own: JsonSchema, value: unknown): boolean {
  const text = JSON.stringify(own)
  return (
    (text.includes('"unevaluatedProperties"') && /"(?:constructor|toString)":/.test(JSON.stringify(value))) ||
    /"contains":(true|false|\{\}|\{"\$ref")/.test(text) ||
    (text.includes('"contains"') && /"(?:prefixItems|unevaluatedItems)"/.test(text)) ||
    (text.includes('"if"') && text.includes('"unevaluated')) ||
    (/"prefixItems"|"items":false|"unevaluatedItems".*"unevaluatedItems"/.test(text) &&
      text.includes('"unevaluatedItems"') &&
      /"(?:anyOf|oneOf|dependentSchemas)"/.test(text))
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
    fc.property(anySchema, anyValue, (own, one) => {
      const effort = new Effort()
      const errors = createSchemaJudges({}, true, effort).of(own, 'request')(one)
      // Without what is remembered for each reference it would take the other judge far too long
      if (effort.spent > STEPS_MAX || isReadOtherwise(own, one)) return
      const expected = ajvSays(own, one)
      if (expected === null) return
      // A loosened schema may take a value that ajv refuses. It never refuses one that ajv takes
      if (isLoosened(own) && errors === null) return
      compared++
      assert.equal(errors === null, expected, JSON.stringify(errors))
    }),
    { numRuns: fuzzCases(1500) },
  )
  assert.ok(compared > 500, `${compared}`)
})

const CONTAINS_BY_REFERENCE = { additionalProperties: { contains: { $ref: '#/$defs/x' } }, $defs: { x: {} } }

test('what ajv reads otherwise is as the specification has it: items that branches evaluate, and contains of a reference', () => {
  // JSON Schema 2020-12, sections 11.2 and 7.7.1.1: a branch that does not fit evaluates nothing
  const cases: readonly (readonly [JsonSchema, unknown, boolean])[] = [
    [{ unevaluatedItems: false, anyOf: [{ items: false }, {}] }, [null], false],
    [{ unevaluatedItems: false, anyOf: [{ unevaluatedItems: true }, false] }, [null, null], true],
    [{ unevaluatedItems: false, oneOf: [true, { unevaluatedItems: false }, false] }, [null], false],
    [{ unevaluatedItems: false, anyOf: [{ prefixItems: [{ type: 'string' }] }, {}] }, [null], false],
    [{ unevaluatedItems: false, anyOf: [{ prefixItems: [true] }, {}] }, [null], true],
    [CONTAINS_BY_REFERENCE, { a: [null], b: [] }, false],
    [CONTAINS_BY_REFERENCE, { a: [null], b: [1] }, true],
  ]
  for (const [own, one, isFitting] of cases)
    assert.equal(
      createSchemaJudges({}, true).of(own, 'request')(one) === null,
      isFitting,
      JSON.stringify(own),
    )
})

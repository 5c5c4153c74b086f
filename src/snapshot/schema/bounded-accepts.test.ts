import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { anySchema, anyValue } from '../../../test/support/keyword-schemas.ts'
import { fuzzCases } from '../../../test/support/long.ts'
import { made } from '../../../test/support/made-schemas.ts'
import { isPlain } from '../../base/json/storable.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { boundedSchema } from './bounded.ts'
import { createSchemaJudges } from './judge.ts'

const budget = fc.integer({ min: 30, max: 2000 })

function fits(schema: JsonSchema, value: unknown, defs: Readonly<Record<string, unknown>> = {}): boolean {
  return createSchemaJudges(defs, true).of(schema, 'request')(value) === null
}

/**
 * As clients judge arguments; formats are notes in JSON Schema 2020-12. True also where ajv has no answer: it compares values by their
 * `toString` or `valueOf`, and calls them where a value has a member of this name.
 */
function ajvFits(schema: JsonSchema, value: unknown): boolean {
  const ajv = new Ajv2020({ strict: false, ownProperties: true, logger: false, validateFormats: false })
  const fitting = ajv.compile(schema as object)
  try {
    return fitting(value)
  } catch (error) {
    if (/\.(?:toString|valueOf) is not a function/.test((error as Error).message)) return true
    throw error
  }
}

/** What model APIs refuse in a schema. */
function checkReadable(schema: unknown): void {
  if (!isPlain(schema)) return
  const { type, items, required, properties } = schema
  if (type === 'array' || (Array.isArray(type) && type.includes('array'))) assert.ok(isPlain(items))
  const named = isPlain(properties) ? Object.keys(properties) : []
  if (Array.isArray(required)) for (const name of required) assert.ok(named.includes(String(name)))
  for (const keyword of ['$ref', '$defs', 'oneOf', 'if', 'then', 'else', 'nullable', 'discriminator'])
    assert.ok(!Object.hasOwn(schema, keyword), keyword)
  for (const part of [...Object.values(isPlain(properties) ? properties : {}), items]) checkReadable(part)
  for (const keyword of ['anyOf', 'allOf', 'prefixItems']) {
    const list = schema[keyword]
    if (Array.isArray(list)) for (const part of list) checkReadable(part)
  }
}

test('what a schema takes is taken by its bounded form, whatever the keywords and the bound', () => {
  let compared = 0
  fc.assert(
    fc.property(anySchema, anyValue, budget, (schema, value, bytesMax) => {
      const shown = boundedSchema(schema, {}, bytesMax)
      checkReadable(shown)
      if (!fits(schema, value)) return
      compared++
      assert.ok(fits(shown, value), JSON.stringify(shown))
      assert.ok(ajvFits(shown, value), JSON.stringify(shown))
    }),
    { numRuns: fuzzCases(300, 20_000) },
  )
  assert.ok(compared > 60, `${compared}`)
})

test('what a client may send is taken by the bounded form of schemas as descriptions have them', () => {
  fc.assert(
    fc.property(
      made(4).chain(({ schema, value }) => fc.tuple(fc.constant(schema), value, budget)),
      ([schema, { sent }, bytesMax]) => {
        const shown = boundedSchema(schema as JsonSchema, {}, bytesMax)
        checkReadable(shown)
        if (!fits(schema as JsonSchema, sent)) return
        assert.ok(fits(shown, sent), JSON.stringify(shown))
        assert.ok(ajvFits(shown, sent), JSON.stringify(shown))
      },
    ),
    { numRuns: fuzzCases(200, 20_000) },
  )
})

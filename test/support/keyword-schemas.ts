/** Schemas of all keywords of JSON Schema 2020-12, at random. */
import fc from 'fast-check'
import type { JsonSchema } from '../../src/model/api/proxy.ts'

const NAMES = ['a', 'b', 'c', 'constructor', 'toString'] as const
const name = fc.constantFrom(...NAMES)
const scalar = fc.constantFrom(null, true, false, 0, 1, 2.5, -1, '', 'a', 'bb', '\u{1f600}')
/** Small values that such schemas tell apart. */
export const anyValue = fc.letrec<{ any: unknown }>((tie) => ({
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
        of('const', anyValue),
        of('enum', fc.array(anyValue, { minLength: 1, maxLength: 3 })),
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

/** A schema with definitions `x`, `y` and `z`. */
export const anySchema = fc
  .tuple(schema, schema, schema, schema)
  .map(([root, x, y, z]) => ({ ...(root as object), $defs: { x, y, z } }) as unknown as JsonSchema)

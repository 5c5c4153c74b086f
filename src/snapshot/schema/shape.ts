/** The values that keywords may have. The judge relies on this check and checks no keyword again. */

import { isPlain, type Plain } from '../../base/json/plain.ts'
import { linearPattern } from '../../base/text/patterns.ts'

const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'null', 'array', 'object'])

/** Says what a value must be; null when it is. */
type Shape = (value: unknown, isModern: boolean) => string | null

const must =
  (what: string, isGood: (value: unknown) => boolean): Shape =>
  (value) =>
    isGood(value) ? null : `must be ${what}`

const isSchema = (value: unknown): boolean => typeof value === 'boolean' || isPlain(value)
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')
const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0

const text = must('a string', (value) => typeof value === 'string')
const flag = must('true or false', (value) => typeof value === 'boolean')
const number = must('a number', (value) => typeof value === 'number')
const count = must('an integer of at least 0', isCount)
const schema = must('a schema: an object, true or false', isSchema)
const texts = must(
  'a list of different strings',
  (value) => isTexts(value) && new Set(value).size === value.length,
)
const schemas = must(
  'a list of at least one schema',
  (value) => Array.isArray(value) && value.length > 0 && value.every(isSchema),
)
const map = must('an object of schemas', (value) => isPlain(value) && Object.values(value).every(isSchema))

const SHAPES = new Map<string, Shape>([
  ['$ref', text],
  ['$dynamicRef', text],
  ['$recursiveRef', text],
  ['$anchor', text],
  ['$dynamicAnchor', text],
  [
    'type',
    must('a type of JSON or a list of types', (value) =>
      typeof value === 'string'
        ? TYPES.has(value)
        : isTexts(value) && value.length > 0 && value.every((type) => TYPES.has(type)),
    ),
  ],
  [
    'enum',
    (value) => {
      if (!Array.isArray(value)) return 'must be a list'
      return value.length > 0 ? null : 'must have non-empty array'
    },
  ],
  ['format', text],
  ['multipleOf', must('a number above 0', (value) => typeof value === 'number' && value > 0)],
  ['maximum', number],
  ['minimum', number],
  ['exclusiveMaximum', number],
  ['exclusiveMinimum', number],
  ...[
    'maxLength',
    'minLength',
    'maxItems',
    'minItems',
    'maxProperties',
    'minProperties',
    'maxContains',
    'minContains',
  ].map((keyword) => [keyword, count] as const),
  ['pattern', text],
  ['uniqueItems', flag],
  ['required', texts],
  [
    'dependentRequired',
    must('an object of lists of strings', (value) => isPlain(value) && Object.values(value).every(isTexts)),
  ],
  [
    'dependencies',
    must(
      'an object of schemas or lists of strings',
      (value) => isPlain(value) && Object.values(value).every((item) => isSchema(item) || isTexts(item)),
    ),
  ],
  [
    'items',
    (value, isModern) =>
      !isModern && Array.isArray(value) ? schemas(value, isModern) : schema(value, isModern),
  ],
  ...['prefixItems', 'allOf', 'anyOf', 'oneOf'].map((keyword) => [keyword, schemas] as const),
  ...[
    'additionalItems',
    'additionalProperties',
    'contains',
    'else',
    'if',
    'not',
    'propertyNames',
    'then',
    'unevaluatedItems',
    'unevaluatedProperties',
  ].map((keyword) => [keyword, schema] as const),
  ...['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'].map(
    (keyword) => [keyword, map] as const,
  ),
  ['title', text],
  ['description', text],
  ['deprecated', flag],
  ['readOnly', flag],
  ['writeOnly', flag],
  ['examples', must('a list', Array.isArray)],
])
/** Notes that say nothing about a value: stored schemas may have anything in them. */
const NOTES = new Set(['title', 'description', 'deprecated', 'readOnly', 'writeOnly', 'examples'])

/**
 * Checks the keywords of one schema, not those of its parts.
 * @param lenient for stored schemas: notes may be anything, and an expression that is not regular fits everything
 * @returns what is wrong, as one sentence with the keyword first; null when nothing is
 */
export function shapeFault(schema: Plain, isModern: boolean, lenient: boolean): string | null {
  for (const [keyword, value] of Object.entries(schema)) {
    const shape = SHAPES.get(keyword)
    if (shape === undefined || (lenient && NOTES.has(keyword))) continue
    const fault = shape(value, isModern)
    if (fault !== null) return `${keyword} ${fault}`
  }
  return lenient ? null : patternFault(schema)
}

function patternFault({ pattern, patternProperties }: Plain): string | null {
  const sources = [
    ...(typeof pattern === 'string' ? [pattern] : []),
    ...(isPlain(patternProperties) ? Object.keys(patternProperties) : []),
  ]
  const bad = sources.find((source) => linearPattern(source) === null)
  return bad === undefined
    ? null
    : `the pattern ${bad.slice(0, 80)} is broken, too large, or needs look-around or back references`
}

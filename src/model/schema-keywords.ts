/**
 * Keywords of JSON Schema by what they hold: one schema, a list of schemas, a map of schemas. Those of definitions and
 * the ones that few schemas have are left out: summaries do not show them.
 */
export const ONE = [
  'items',
  'additionalProperties',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
] as const
export const LIST = ['prefixItems', 'allOf', 'anyOf', 'oneOf'] as const
export const MAP = ['properties', 'patternProperties', 'dependentSchemas'] as const

/**
 * Keyword of stored schemas that lists keywords of the description that were left out because they cannot be judged
 * exactly. Without it a `oneOf` or `not` around them would refuse what the description takes.
 */
export const NOT_JUDGED = 'x-not-judged'

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

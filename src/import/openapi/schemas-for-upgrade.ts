/** Prepares schemas of OpenAPI 2.0 and 3.0 for the upgrade, so that it keeps their meaning. */
import { isPlain, type Plain } from '../../base/json/plain.ts'

/** Members that hold data, in which nothing is a schema. */
const DATA = new Set(['example', 'examples', 'default', 'enum', 'const', 'value'])
/** Members whose own members have any names. */
const MAPS = new Set([
  ...[
    'properties',
    'patternProperties',
    'definitions',
    'schemas',
    'paths',
    'callbacks',
    'content',
    'encoding',
  ],
  ...[
    'parameters',
    'responses',
    'requestBodies',
    'headers',
    'securityDefinitions',
    'securitySchemes',
    'links',
  ],
])
/** Keywords that make fewer values valid. `nullable` and `readOnly` make more, and many writers put them beside references. */
const NARROWING: readonly string[] = [
  ...['type', 'format', 'enum', 'pattern', 'multipleOf', 'uniqueItems', 'required', 'discriminator'],
  ...['maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum', 'maxLength', 'minLength'],
  ...[
    'maxItems',
    'minItems',
    'maxProperties',
    'minProperties',
    'items',
    'properties',
    'additionalProperties',
  ],
  ...['allOf', 'oneOf', 'anyOf', 'not'],
]

/**
 * Changes a document in place. What stands beside a reference is ignored (OpenAPI 3.0.4 section 4.7.23, 2.0 "Reference Object");
 * 3.1 has it narrow the schema. The discriminator of 2.0 becomes an object: the upgrade would make the property required.
 */
export function prepareSchemas(document: Plain): void {
  const seen = new Set<object>()
  const walk = (value: unknown, isMap: boolean): void => {
    if (value === null || typeof value !== 'object' || seen.has(value)) return
    seen.add(value)
    if (Array.isArray(value)) for (const item of value) walk(item, false)
    if (!isPlain(value)) return
    if (!isMap) {
      if (typeof value['$ref'] === 'string') for (const keyword of NARROWING) delete value[keyword]
      if (typeof value['discriminator'] === 'string')
        value['discriminator'] = { propertyName: value['discriminator'] }
    }
    for (const [name, member] of Object.entries(value))
      if (isMap) walk(member, false)
      else if (!DATA.has(name) && !name.startsWith('x-')) walk(member, MAPS.has(name))
  }
  walk(document, false)
}

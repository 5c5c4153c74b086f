import { isPlain } from '../../base/plain.ts'
import type { JsonSchema, Parameter } from '../../model/proxy.ts'

type Typed = Pick<Parameter, 'type' | 'schema' | 'enum' | 'pattern' | 'min' | 'max' | 'default'>

/**
 * The schema of a parameter: its own, or one that says what is checked of a parameter that has a type alone. The bounds of a text
 * are of its characters, those of a list are of its items, of which each is checked by `enum` and `pattern`.
 */
export function schemaOfParameter(parameter: Typed): JsonSchema {
  const { default: otherwise } = parameter
  const schema = parameter.schema ?? checked(parameter)
  return otherwise === undefined || !isPlain(schema) ? schema : { ...schema, default: otherwise }
}

function checked({ type, enum: values, pattern, min, max }: Typed): JsonSchema {
  if (type === 'object') return { type }
  const isList = type === 'array'
  const item = {
    ...(values === undefined ? {} : { enum: isList ? values.flat() : values }),
    // An expression says nothing of numbers (JSON Schema 2020-12, section 6.3.3)
    ...(pattern === undefined || !(isList || type === 'string') ? {} : { pattern }),
  }
  const [least, most] = BOUNDS[type] ?? (['minimum', 'maximum'] as const)
  const bounds = {
    ...(min === undefined ? {} : { [least]: min }),
    ...(max === undefined ? {} : { [most]: max }),
  }
  return isList ? { type, items: item, ...bounds } : { type, ...item, ...bounds }
}

const BOUNDS: Partial<Record<Parameter['type'], readonly [least: string, most: string]>> = {
  string: ['minLength', 'maxLength'],
  array: ['minItems', 'maxItems'],
}

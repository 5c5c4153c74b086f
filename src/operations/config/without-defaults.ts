import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { isPlain } from '../../base/json/plain.ts'

/**
 * A value that its schema has parsed, without the members, at any depth, that are as they are by default; undefined where
 * all of it is. Members that one of several kinds has stay.
 */
export function withoutDefaults(schema: z.core.$ZodType, value: unknown): unknown {
  if (schema instanceof z.ZodDefault)
    return isDeepStrictEqual(value, schema.def.defaultValue)
      ? undefined
      : withoutDefaults(schema.def.innerType, value)
  if (schema instanceof z.ZodPrefault) {
    const left = withoutDefaults(schema.def.innerType, value)
    return isDeepStrictEqual(left, schema.def.defaultValue) ? undefined : left
  }
  if (schema instanceof z.ZodNullable && value !== null) return withoutDefaults(schema.def.innerType, value)
  if (schema instanceof z.ZodArray && Array.isArray(value))
    return value.map((item) => {
      const left = withoutDefaults(schema.def.element, item)
      // A place in a list has no default
      return left === undefined ? item : left
    })
  if (schema instanceof z.ZodObject && isPlain(value))
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, member]) => {
        const own: z.core.$ZodType | undefined = schema.shape[name]
        const left = own === undefined ? member : withoutDefaults(own, member)
        return left === undefined ? [] : [[name, left]]
      }),
    )
  return value
}

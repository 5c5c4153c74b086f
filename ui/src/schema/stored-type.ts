import type { JsonObject } from '../../build/document.ts'
import type { Field } from './fields.ts'
import { isObject } from './value.ts'

/**
 * Fields of an operation that changes a part of a resource, without those of other types: a bearer credential is rotated by its token,
 * not by a password. The type itself stays as it is.
 * @param whole fields by which the resource is created
 * @param stored the resource
 */
export function ofStoredType(
  fields: readonly Field[],
  whole: readonly Field[],
  stored: JsonObject,
): readonly Field[] {
  return fields.map((field) => {
    const form = whole.find(({ name }) => name === field.name)
    const value = stored[field.name]
    if (field.kind !== 'group' || form?.kind !== 'variant' || !isObject(value)) return field
    const variant = form.variants.find((one) => one.value === value[form.tag])
    if (variant === undefined) return field
    const names = new Set(variant.fields.map(({ name }) => name))
    return { ...field, fields: field.fields.filter(({ name }) => name !== form.tag && names.has(name)) }
  })
}

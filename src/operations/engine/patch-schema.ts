import { z } from 'zod'

/**
 * What a PATCH of an object may hold: every member optional and without its default, inner objects likewise, and
 * instead of alternatives one flat object with the members of all. The merged whole is judged by the exact schema.
 */
export function patchSchema(schema: z.ZodObject, without: readonly string[] = []): z.ZodRawShape {
  return Object.fromEntries(
    Object.entries(schema.shape)
      .filter(([name]) => !without.includes(name))
      .map(([name, member]) => [name, loosen(member as z.ZodType).optional()]),
  )
}

function loosen(schema: z.ZodType): z.ZodType {
  const loose = loosenInner(schema)
  const text = schema.description
  return text === undefined || loose === schema ? loose : loose.describe(text)
}

function loosenInner(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
    return loosen(schema.unwrap() as z.ZodType)
  if (schema instanceof z.ZodNullable) return loosen(schema.unwrap() as z.ZodType).nullable()
  if (schema instanceof z.ZodObject) return z.strictObject(patchSchema(schema))
  if (schema instanceof z.ZodDiscriminatedUnion) return z.strictObject(flatten(schema))
  return schema
}

/** The members of all alternatives; the discriminator is one of their names. */
function flatten(schema: z.ZodDiscriminatedUnion): z.ZodRawShape {
  const members = new Map<string, z.ZodType[]>()
  for (const option of schema.options as readonly z.ZodObject[])
    for (const [name, member] of Object.entries(option.shape))
      members.set(name, [...(members.get(name) ?? []), loosen(member as z.ZodType)])
  const { discriminator } = schema.def
  return Object.fromEntries(
    [...members].map(([name, kinds]) => {
      const names = kinds.flatMap((kind) =>
        kind instanceof z.ZodLiteral ? [...kind.values].map(String) : [],
      )
      if (name === discriminator) return [name, z.enum(names).optional()]
      return [name, (kinds.length === 1 ? kinds[0]! : z.union(kinds)).optional()]
    }),
  )
}

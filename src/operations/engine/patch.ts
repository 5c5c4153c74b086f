import { z } from 'zod'
import { isPlain } from '../../base/plain.ts'
import { refuse } from '../../base/refusal.ts'

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

const DEPTH_MAX = 64

/**
 * Merges a patch into a value: objects member by member, everything else replaces. An object whose `type` changes
 * is replaced whole, because the members of one type mean nothing to another.
 */
export function mergePatch(base: unknown, patch: unknown, depth: number = 0): unknown {
  if (depth > DEPTH_MAX) throw refuse('input_invalid', { detail: 'The input is nested too deeply.' })
  if (!isPlain(base) || !isPlain(patch)) return patch
  if (patch['type'] !== undefined && patch['type'] !== base['type']) return patch
  const merged: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(patch))
    if (value !== undefined) merged[name] = mergePatch(base[name], value, depth + 1)
  return merged
}

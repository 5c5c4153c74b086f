import { z } from 'zod'
import { Envelope } from '../../model/members.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { FacetName, Fields } from '../../store/ports/resource.ts'

/** A member of a spec that refers to other resources. */
export interface RefField {
  readonly field: string
  readonly type: ResourceType
  readonly many?: boolean
  /**
   * The member of the spec that it stands in, where it is not the spec itself: an object, or a list of objects. Several names lead
   * from the spec inwards. Items of a list that are no objects hold no reference.
   */
  readonly within?: string | readonly string[]
  /** The referring resource can be made first and refer to it later: so two kinds may refer to each other. */
  readonly isLate?: true
  /** It stands too deep for lists to be filtered by it, and for `expand`. */
  readonly isInner?: true
  /** Words that stand for themselves. */
  readonly words?: readonly string[]
}

/** How resources of a kind are written, stored, read and referred to. */
export type KindSchema = KindSchemaWith<ResourceType, Fields>

/** {@link KindSchema} of a type whose spec is known. */
export interface KindSchemaWith<T extends ResourceType, Spec> {
  readonly type: T
  /** One of it, as the audit calls it. */
  readonly noun: string
  /** Of its ids: three letters, of this kind alone. */
  readonly prefix: string
  /** Name of the grouped MCP tool. */
  readonly group: string
  /** What one of it is, in a sentence for people: the console and the OpenAPI document show it. */
  readonly about: string
  /** One or two sentences of which a model chooses the grouped tool; absent where several kinds share it: see `surfaces/mcp/list`. */
  readonly tools?: string
  /**
   * A first one as `create` takes it, with what it cannot do without and what one would give it. References are slugs. Management MCP shows it,
   * and tests that go through all kinds make it.
   */
  readonly example: Fields & { readonly name: string }
  /** Exactly what is stored of it, and but for {@link fixed} what a caller may write. */
  readonly spec: z.ZodObject
  /** Members of the spec that no caller writes: they stay as they are, and have their defaults in what is made. */
  readonly fixed?: readonly string[]
  /** What a caller reads. */
  readonly view: z.ZodObject
  readonly columns: readonly string[]
  /** The sections of its form in their order, each with the members of the spec that belong to it. */
  readonly sections: Readonly<Record<string, readonly string[]>>
  /** Members that refer to others, but for the one that names what it belongs to. */
  readonly refs: readonly RefField[]
  /** Published resources may hold a pending draft. */
  readonly staged: boolean
  /** Filters of its list: members of the spec that stores keep as facets. */
  readonly filters: Readonly<Partial<Record<FacetName, z.ZodType>>>
  /** Members of `auth` that are sealed. */
  secrets?(spec: Spec): readonly string[]
  /** The member of the spec that secrets are sent to: whoever changes it must give them again. */
  readonly secretsFor?: string
  /** Members of `auth` that are shown beside those that are stored. */
  derived?(spec: Spec): Fields
  /** Why a text cannot be the secret of that field of the spec, without repeating it; null when it can. */
  secretFault?(field: string, text: string, spec: Spec): string | null
  /** Where credentials go by the spec: who changes that needs the right to use them. */
  sentTo?(spec: Spec): unknown
  /**
   * Credentials that a part of the spec sends to a place of its own: a pair that is new needs the right to use the credential. References
   * are ids.
   */
  uses?(spec: Spec): readonly { readonly credential: string; readonly to: unknown }[]
  /** See {@link Resource.key}. */
  keyOf?(spec: Spec): string | null
}

/** What a caller may write of the kind. */
export function writableSchema({ spec, fixed = [] }: KindSchema): z.ZodObject {
  if (fixed.length === 0) return spec
  return z.strictObject(
    Object.fromEntries(Object.entries(spec.shape).filter(([name]) => !fixed.includes(name))),
  )
}

const Expanded = z
  .record(z.string(), z.json())
  .optional()
  .describe('With expand: id, slug, name and state of the references, by member')

/** The envelope, the members of the spec, and for kinds that may hold one the pending draft. */
export function viewSchema(
  spec: z.ZodObject,
  extra: z.ZodRawShape = {},
  staged: boolean = false,
): z.ZodObject {
  const { slug: _slug, ...members } = spec.shape
  const plain = z.object({ ...Envelope.shape, ...members, ...extra, expanded: Expanded })
  if (!staged) return plain
  return plain.extend({
    pending_draft: z
      .object({ ...members, slug: Envelope.shape.slug })
      .optional()
      .describe('The version that publishing makes live'),
  })
}

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

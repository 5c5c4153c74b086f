/**
 * What forms and tables need to know of a member beyond JSON Schema, as `.meta()` of its schema: `z.number().meta(unit('ms'))`. The
 * OpenAPI document carries the annotations (`docs/management-api.md`), schemas of tools do not. What the registry knows of a kind is
 * not repeated here: references, sections and columns are put in by `surfaces/openapi/annotated.ts`.
 */
import { z } from 'zod'
import { isPlain } from '../base/json/storable.ts'
import { NOUNS, type ResourceType } from './resource-types.ts'

/**
 * Why a value is not told: it is a secret; a document, of which the secrets cannot be told from the rest; or what callers
 * send and are answered, which is theirs.
 */
export type Confidentiality = 'secret' | 'document' | 'traffic'

const known = z.registry<{ readonly confidentiality: Confidentiality }>()

/** The schema, of whose values only that there is one leaves the operation that takes or gives it. */
export function confidential<T extends z.ZodType>(confidentiality: Confidentiality, schema: T): T {
  known.add(schema, { confidentiality })
  return schema
}

/** What the schema itself is declared as; undefined where it is not confidential. */
export function confidentialityOf(schema: z.core.$ZodType): Confidentiality | undefined {
  return known.get(schema)?.confidentiality
}

/** Units of numbers. `fraction` is 0 to 1, `percent` 0 to 100. */
const NUMBER_UNITS = [
  'ms',
  's',
  'days',
  'bytes',
  'tokens',
  'requests',
  'connections',
  'percent',
  'fraction',
] as const
/**
 * What a text is written in, where JSON Schema has no `format` for it. `duration` is `30s`, `time` a time such as `-30d` or
 * RFC 3339.
 */
const TEXT_UNITS = [
  'duration',
  'time',
  'timezone',
  'cidr',
  'cel',
  'markdown',
  'http-header-name',
  'json-schema',
  'pem',
] as const

export const UNITS: readonly string[] = [...NUMBER_UNITS, ...TEXT_UNITS]
type Unit = (typeof NUMBER_UNITS)[number] | (typeof TEXT_UNITS)[number]

/** The unit of a number, or what a text is written in. */
export function unit(name: Unit): Readonly<Record<string, string>> {
  return { 'x-postern-unit': name }
}

/** The text is the id or slug of a resource. */
export function refersTo(resource: ResourceType | 'records'): Readonly<Record<string, string>> {
  return { 'x-postern-ref': resource }
}

/** An absolute URL (RFC 3986). */
export const URL_FORMAT = { format: 'uri' } as const

/** A JSON Schema of a zod schema: secrets are marked, and each id or slug (`model/members`) has the type of resource that its member is named by. */
export function annotatedSchema(
  schema: z.ZodType,
  options: Parameters<typeof z.toJSONSchema>[1],
): Record<string, unknown> {
  const {
    $schema: _,
    '~standard': __,
    ...printed
  } = z.toJSONSchema(schema, { ...options, override: markSecret }) as Record<string, unknown>
  // Not in `override`: while zod prints, all uses of a schema are one object
  nameMembers(printed)
  return printed
}

function markSecret({
  zodSchema,
  jsonSchema,
}: {
  readonly zodSchema: z.core.$ZodType
  readonly jsonSchema: Record<string, unknown>
}): void {
  // What the audit log masks, forms hide
  if (confidentialityOf(zodSchema) === 'secret') jsonSchema['x-postern-secret'] = true
}

/** Types of resources by the member that names one or several of them. */
const REFERRED: ReadonlyMap<string, string> = new Map(
  Object.entries(NOUNS).flatMap(([type, noun]) => [
    [noun, type],
    [type, type],
  ]),
)

/** Names the references of each object within the value. */
function nameMembers(value: unknown): void {
  if (Array.isArray(value)) for (const one of value) nameMembers(one)
  if (!isPlain(value)) return
  const { properties } = value
  if (isPlain(properties)) for (const [name, member] of Object.entries(properties)) nameRefs(member, name)
  for (const one of Object.values(value)) nameMembers(one)
}

function nameRefs(schema: unknown, name: string): void {
  if (!isPlain(schema)) return
  const { anyOf, items } = schema
  if (schema['x-postern-ref'] === true) schema['x-postern-ref'] = REFERRED.get(name) ?? true
  for (const part of [items, ...(Array.isArray(anyOf) ? anyOf : [])]) nameRefs(part, name)
}

/**
 * Items of lists for clients. Official clients read a list as a whole: one item that does not fit the specification makes all
 * others unusable. An item is therefore judged by the schema of its revision before it is listed.
 *
 * 1. An item that fits is passed as the same object.
 * 2. What can be repaired without changing its meaning is repaired: members that are null are left out, and `type: object` is
 *    added.
 * 3. An item that cannot be repaired is in no list, and calls of it are answered like those of an unknown item.
 * 4. The result depends only on the item and the era.
 */
import { isPlain, type Plain, scalarText } from '../../base/json/storable.ts'
import { printable } from '../../base/text/visible.ts'
import { type CapabilityType, KEY_OF } from './capability.ts'
import { schemaFault } from './output-schema.ts'
import {
  anyObject,
  Findings,
  flag,
  hint,
  listOf,
  listOfHints,
  number,
  object,
  oneOf,
  optional,
  required,
  type Shape,
  text,
  typed,
  UNFIT,
} from './shape.ts'

/** `modern`: revisions since 2026-07-28. Of the earlier ones, 2025-11-25 has the members of all. */
export type Era = 'modern' | 'legacy'

export interface FittedItem {
  /** Null for an item that cannot be listed. */
  readonly item: Plain | null
  /** What was repaired, as ends of sentences about the item. */
  readonly repairs: readonly string[]
  /** Why the item cannot be listed, as the end of a sentence about it; null if it can. */
  readonly fault: string | null
}

/** The item as clients of each era take it: the same object where nothing differs. */
export function fitItem(type: CapabilityType, item: Plain): Readonly<Record<Era, FittedItem>> {
  const modern = fittedFor('modern', type, item)
  // Eras differ in the output schema alone
  const schema = type === 'tools' ? item['outputSchema'] : undefined
  const isSame = !isPlain(schema) || schema['type'] === 'object'
  return { modern, legacy: isSame ? modern : fittedFor('legacy', type, item) }
}

/** What people are told of an item that does not fit, such as `left out: it has no text at /name`; null for one that fits. */
export function findingOf({ modern, legacy }: Readonly<Record<Era, FittedItem>>): string | null {
  if (modern.fault !== null) return `left out: it ${modern.fault}`
  if (legacy.fault !== null) return `left out for clients of ${EARLIER}: it ${legacy.fault}`
  if (modern.repairs.length > 0) return `repaired: ${modern.repairs.join('; ')}`
  if (legacy.repairs.length > 0) return `repaired for clients of ${EARLIER}: ${legacy.repairs.join('; ')}`
  return null
}

/** Names of tools that the APIs of models take, beside which a request with all its tools is refused. */
const TOOL_NAME = /^[A-Za-z0-9_-]{1,64}$/

/** What people are told of the name that clients get, which stays as it is; null where model APIs take it. */
export function nameFinding(type: CapabilityType, name: string): string | null {
  if (type !== 'tools' || TOOL_NAME.test(name)) return null
  return 'listed under its name, although model APIs accept only names of 1 to 64 letters, digits, _ and -'
}

/** Names of items of which one finding tells. */
const NAMED_MAX = 3
const NAME_CHARS_MAX = 100

/** Findings about the items of a list, as sentences that end without a period: one for all items that differ in the same way. */
export function findingsOf(type: CapabilityType, items: readonly Plain[]): readonly string[] {
  const found = new Map<string, string[]>()
  for (const item of items) {
    const finding = findingOf(fitItem(type, item))
    if (finding === null) continue
    const names = found.get(finding) ?? []
    names.push(printable((scalarText(item[KEY_OF[type]]) ?? '').slice(0, NAME_CHARS_MAX)))
    found.set(finding, names)
  }
  return [...found].map(([finding, names]) => {
    const told = names.slice(0, NAMED_MAX).map((name) => `"${name}"`)
    const more = names.length > told.length ? ` and ${names.length - told.length} more` : ''
    return `${type} ${told.join(', ')}${more} ${names.length === 1 ? 'is' : 'are'} ${finding}`
  })
}

const EARLIER = 'revisions before 2026-07-28'

function fittedFor(era: Era, type: CapabilityType, item: Plain): FittedItem {
  const findings = new Findings()
  const fitted = SHAPES[era][type](item, findings, '')
  if (fitted === UNFIT || !isPlain(fitted)) return { item: null, repairs: [], fault: findings.fault }
  return { item: fitted, repairs: findings.repairs, fault: null }
}

/** Subschemas of properties, which revisions before 2026-07-28 have as objects alone. */
const property: Shape = (value, findings, at) => {
  if (isPlain(value)) return value
  if (value === true || value === null) {
    findings.repaired(`${at} is an empty schema`)
    return {}
  }
  if (value !== false) return findings.unfit(`has no schema at ${at}`)
  findings.repaired(`${at} is replaced with a schema that no value matches`)
  return { not: {} }
}

const properties: Shape = (value, findings, at) => {
  if (!isPlain(value)) return findings.unfit(`has no object at ${at}`)
  const changed: [string, unknown][] = []
  for (const [name, one] of Object.entries(value)) {
    const after = property(one, findings, `${at}/${name}`)
    if (after === UNFIT) return UNFIT
    if (after !== one) changed.push([name, after])
  }
  // fromEntries, since a property may be called __proto__
  return changed.length === 0 ? value : Object.fromEntries([...Object.entries(value), ...changed])
}

const schemaMembers = object({
  $schema: optional(text),
  properties: optional(properties),
  required: optional(listOf(text)),
})

const IS_OBJECT = { type: 'object' } as const

/** A schema for a value that is always an object, so `type` may be added. */
const objectSchema: Shape = (value, findings, at) => {
  const schema = schemaMembers(value, findings, at)
  if (!isPlain(schema)) return schema
  const { type } = schema
  if (type === 'object') return schema
  if (type !== undefined && type !== null && !(Array.isArray(type) && type.includes('object')))
    return findings.unfit(`has a schema of another type than object at ${at}`)
  findings.repaired(`type: object is added at ${at}`)
  return { ...schema, ...IS_OBJECT }
}

/** Arguments are an object, and a tool that says nothing of them takes any. */
const inputSchema = {
  shape: ((value, findings, at) => {
    if (value !== true) return objectSchema(value, findings, at)
    findings.repaired(`${at} is replaced with an object`)
    return IS_OBJECT
  }) satisfies Shape,
  missing: () => IS_OBJECT,
  need: 'required',
} as const

/** Undefined for a schema that no client can compile: it promises nothing. */
function outputSchema(era: Era): Shape {
  return (value, findings, at) => {
    const schema = (era === 'legacy' ? objectSchema : withoutNullType)(value, findings, at)
    if (!isPlain(schema)) return schema
    const fault = schemaFault(schema)
    if (fault === null) return schema
    findings.repaired(`${at} is left out, because clients cannot compile it: it ${fault}`)
    return undefined
  }
}

/** Since 2026-07-28 the result of a tool may be any value. */
const withoutNullType: Shape = (value, findings, at) => {
  const schema = schemaMembers(value, findings, at)
  if (!isPlain(schema) || schema['type'] !== null) return schema
  findings.repaired(`null at ${at}/type is left out`)
  const { type: _, ...rest } = schema
  return rest
}

// Shapes that items of lists and contents of results share (2025-11-25 and 2026-07-28, schema).

/** An icon that does not fit is left out: it is decoration. */
const ICONS = hint(
  listOfHints(
    object({
      src: required(text),
      mimeType: hint(text),
      sizes: hint(listOf(text)),
      theme: hint(oneOf('light', 'dark')),
    }),
  ),
)

export const META = optional(anyObject)

const NAMED = { title: optional(text), icons: ICONS, description: optional(text), _meta: META } as const

/** Hints decide policies, so that one of another type is no hint to leave out. */
const TOOL_ANNOTATIONS = optional(
  object({
    title: optional(text),
    readOnlyHint: optional(flag),
    destructiveHint: optional(flag),
    idempotentHint: optional(flag),
    openWorldHint: optional(flag),
  }),
)

function tool(era: Era): Shape {
  return object({
    name: required(text),
    ...NAMED,
    inputSchema,
    outputSchema: optional(outputSchema(era)),
    annotations: TOOL_ANNOTATIONS,
    execution: optional(object({ taskSupport: optional(oneOf('required', 'optional', 'forbidden')) })),
  })
}

const prompt = object({
  name: required(text),
  ...NAMED,
  arguments: optional(
    listOf(
      object({
        name: required(text),
        title: optional(text),
        description: optional(text),
        required: optional(flag),
      }),
    ),
  ),
})

/** Hints of a resource or a content for the client (Annotations). */
export const ANNOTATIONS = hint(
  object({
    audience: hint(listOf(oneOf('user', 'assistant'))),
    priority: hint(
      typed('number from 0 to 1', (value) => typeof value === 'number' && value >= 0 && value <= 1),
    ),
    lastModified: hint(typed('time with an offset', (value) => typeof value === 'string' && isTime(value))),
  }),
)

const LOCATED = {
  ...NAMED,
  name: required(text),
  mimeType: optional(text),
  annotations: ANNOTATIONS,
} as const

/** Something with a URI: without a name, it is known by the URI. */
function located(type: 'resources' | 'resource_templates', shape: Shape): Shape {
  return (value, findings, at) => {
    if (!isPlain(value) || (value['name'] !== undefined && value['name'] !== null))
      return shape(value, findings, at)
    const { title } = value
    findings.repaired(`${at}/name is missing and is added`)
    return shape({ ...value, name: typeof title === 'string' ? title : value[KEY_OF[type]] }, findings, at)
  }
}

/** A resource as lists and links have it. */
export const RESOURCE: Shape = located(
  'resources',
  object({ ...LOCATED, uri: required(text), size: optional(number) }),
)

const template = located('resource_templates', object({ ...LOCATED, uriTemplate: required(text) }))

const SHARED = { prompts: prompt, resources: RESOURCE, resource_templates: template }
const SHAPES: Readonly<Record<Era, Readonly<Record<CapabilityType, Shape>>>> = {
  modern: { tools: tool('modern'), ...SHARED },
  legacy: { tools: tool('legacy'), ...SHARED },
}

/** RFC 3339, section 5.6: clients refuse a time without an offset. */
const TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

function isTime(value: string): boolean {
  if (value.length > 40 || !TIME.test(value)) return false
  // February 30 is none
  const [year, month, day] = value.slice(0, 10).split('-').map(Number) as [number, number, number]
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day
}

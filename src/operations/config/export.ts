import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { permits } from '../../access/roles.ts'
import { unpackJson } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import { sealedHeadersOf } from '../../model/api/injected-header.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import type { Kind } from '../engine/kind.ts'
import { KINDS_IN_ORDER } from '../kinds.ts'
import { kindCalled, kindOfId } from './address.ts'
import { withoutVariables } from './read-documents.ts'
import { Exported, SetName } from './schemas.ts'
import { readState, STATES, type State, secretMembersOf, toWords } from './state.ts'

export const exportConfig = define({
  resource: 'config',
  action: 'export',
  effect: 'read',
  tool: 'export_config',
  group: 'manage_config',
  summary: 'Export the configuration as documents without secrets, to apply here or elsewhere',
  input: z.strictObject({
    select: z
      .array(z.string().max(200))
      .max(1000)
      .default([])
      .describe(
        'Resources, including everything that belongs to them, such as collection/orders, proxy/orders:get-order, collection/pay-* or policy. Empty: all',
      ),
    managed_by: SetName.optional().describe('Only resources that this set of documents manages'),
  }),
  output: Exported,
  permission: 'config:read',
  refuses: [],
  itemwise: true,
  columns: ['documents.kind', 'documents.slug'],
  subject: () => ({ type: 'config', id: null, slug: null }),
  handle: async ({ select, managed_by }, context) => {
    const isSelected = selector(select)
    const state = await readState(context.reader)
    const documents: z.output<typeof Exported>['documents'] = []
    const set_elsewhere: z.output<typeof Exported>['set_elsewhere'] = []
    let looked = 0
    const addresses = await addressesByType(state)
    for (const kind of KINDS_IN_ORDER) {
      if (!permits(context.principal, `${kind.type}:read`)) continue
      // In order, so that equal instances give equal documents
      for (const item of (addresses.get(kind.type) ?? []).sort()) {
        await yieldThread(++looked)
        const resource = state.byAddress.get(item)!
        if (managed_by !== undefined && resource.managed_by !== managed_by) continue
        if (!isSelected(kind, resource, state)) continue
        const spec = await toDocument(kind, resource, state, context)
        documents.push({ kind: kind.noun, slug: resource.slug, spec: { ...spec } })
        for (const field of elsewhere(kind, resource)) set_elsewhere.push({ item, field })
      }
    }
    return { documents, set_elsewhere }
  },
})

/** Kinds that are exported only when they are named: who they are differs from place to place. */
const NAMED_ALONE: ReadonlySet<string> = new Set(['users', 'teams'])

async function addressesByType({ byAddress }: State): Promise<ReadonlyMap<ResourceType, string[]>> {
  const found = new Map<ResourceType, string[]>()
  let looked = 0
  for (const [address, { type }] of byAddress) {
    const mine = found.get(type)
    if (mine === undefined) found.set(type, [address])
    else mine.push(address)
    await yieldThread(++looked)
  }
  return found
}

type Selector = (kind: Kind, resource: Resource, state: State) => boolean

/** Selections with a `*`, each of which is held against each resource. */
const PATTERNS_MAX = 50

/** What is selected of one kind. */
interface Selected {
  readonly names: Set<string>
  /** Between the `*`; the first and the last stand at the ends. */
  readonly patterns: (readonly string[])[]
}

/** Refuses with input_invalid what selects no kind. */
function selector(select: readonly string[]): Selector {
  if (select.length === 0)
    return ({ type }, { parent }) =>
      !NAMED_ALONE.has(type) && !NAMED_ALONE.has((parent === null ? undefined : kindOfId(parent))?.type ?? '')
  const byType = selectedOf(select)
  const holds = (type: ResourceType, name: string): boolean => {
    const selected = byType.get(type)
    if (selected === undefined) return false
    return selected.names.has(name) || selected.patterns.some((parts) => fits(parts, name))
  }
  return ({ type }, { slug, parent }, state) => {
    const above = parent === null ? undefined : state.byId.get(parent)
    if (holds(type, slug)) return true
    return above !== undefined && (holds(type, `${above.slug}:${slug}`) || holds(above.type, above.slug))
  }
}

function selectedOf(select: readonly string[]): ReadonlyMap<ResourceType, Selected> {
  const byType = new Map<ResourceType, Selected>()
  let patterns = 0
  for (const [index, text] of [...new Set(select)].entries()) {
    const [word, slug = '*'] = text.split(/\/(.*)/s)
    const kind = kindCalled(word!)
    if (kind === undefined)
      throw refuse('input_invalid', {
        detail: `"${text}" names no kind.`,
        errors: [{ pointer: `/select/${index}`, reason: 'kind/slug, such as collection/orders' }],
      })
    const selected = byType.get(kind.type) ?? { names: new Set(), patterns: [] }
    byType.set(kind.type, selected)
    if (!slug.includes('*')) selected.names.add(slug)
    else if (++patterns <= PATTERNS_MAX) selected.patterns.push(slug.split('*'))
    else
      throw refuse('input_invalid', {
        detail: `More than ${PATTERNS_MAX} selections with a *.`,
        errors: [{ pointer: '/select', reason: `at most ${PATTERNS_MAX} with a *` }],
      })
  }
  return byType
}

/** Without a regular expression, which could try all ways in which many parts stand in a name. */
function fits(parts: readonly string[], name: string): boolean {
  const [first, last] = [parts[0]!, parts.at(-1)!]
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return name.length - at >= last.length && name.endsWith(last)
}

/** The spec of a document: without members that are as they are by default, but for states, where silence means more. */
async function toDocument(
  kind: Kind,
  resource: Resource,
  state: State,
  { whole }: OperationContext,
): Promise<Fields> {
  const stored = await toWords(state, resource)
  const words: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(kind.spec.shape)) {
    if (!(name in stored)) continue
    const isState = STATES.some((one) => one === name)
    const left = isState ? stored[name] : withoutDefaults(member, stored[name])
    if (left !== undefined) words[name] = left
  }
  const hash = words['schemas']
  if (kind.type === 'collections' && typeof hash === 'string') {
    const schemas = await whole.schema(hash)
    if (schemas !== undefined) words['schemas'] = JSON.parse(unpackJson(schemas))
  }
  return withoutVariables(words) as Fields
}

/** Secret fields that are stored here, not read elsewhere. */
function elsewhere(kind: Kind, { spec }: Resource): readonly string[] {
  const auth = spec['auth'] as Fields
  return [
    ...secretMembersOf(kind, spec).filter((field) => !isReference(auth[field])),
    ...sealedHeadersOf(spec).map(({ field }) => field),
  ]
}

/**
 * A value that its schema has parsed, without the members, at any depth, that are as they are by default; undefined where
 * all of it is. Members that one of several kinds has stay.
 */
function withoutDefaults(schema: z.core.$ZodType, value: unknown): unknown {
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

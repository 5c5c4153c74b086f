import { isPlain } from '../base/plain.ts'
import { type FieldError, refuse } from '../base/refusal.ts'
import { inWords, NOUNS, type ResourceType } from '../model/common.ts'
import type { ConfigReader, Fields, Resource } from '../store/ports/config.ts'
import type { Kind, RefField } from './kind.ts'

/** Types whose resources belong to one of another type. */
export const PARENTS: Partial<Record<ResourceType, ResourceType>> = {
  proxies: 'collections',
  profiles: 'clients',
  grants: 'service_identities',
  trust_rules: 'service_identities',
}

/**
 * The resource that an id, a slug or `parent:slug` names, or undefined. Refuses with input_invalid at `pointer`
 * when a bare slug fits several.
 */
export async function findRef(
  reader: ConfigReader,
  type: ResourceType,
  ref: string,
  pointer: string = '/id',
): Promise<Resource | undefined> {
  const parentType = PARENTS[type]
  const at = ref.indexOf(':')
  if (at >= 0) {
    if (parentType === undefined) return undefined
    const parent = await findRef(reader, parentType, ref.slice(0, at), pointer)
    const slug = ref.slice(at + 1)
    if (parent === undefined) return undefined
    if (!slug.includes('_')) return (await reader.bySlug(type, slug, parent.id))[0]
    const named = await reader.byId(type, slug)
    return named?.parent === parent.id ? named : undefined
  }
  if (ref.includes('_')) return reader.byId(type, ref)
  const found = await reader.bySlug(type, ref)
  if (found.length > 1) {
    const parents = await reader.slugs(found.flatMap((one) => one.parent ?? []))
    const candidates = found.map((one) => `${parents.get(one.parent!)}:${one.slug}`)
    const reason = `"${ref}" names several ${type}: ${candidates.join(', ')}`
    throw refuse('input_invalid', {
      detail: `${reason}. Say which.`,
      errors: [{ pointer, reason }],
      members: { candidates },
    })
  }
  return found[0]
}

/** As {@link findRef}; refuses with not_found. */
export async function getRef(reader: ConfigReader, type: ResourceType, ref: string): Promise<Resource> {
  const found = await findRef(reader, type, ref)
  if (found === undefined)
    throw refuse('not_found', { detail: `There is no ${inWords(NOUNS[type])} "${ref}".` })
  return found
}

/** All references of a spec, the parent among them. */
function refFields(kind: Kind): readonly RefField[] {
  return kind.parent === null ? kind.refs : [kind.parent, ...kind.refs]
}

/** A copy of the spec with each reference replaced; `change` also gets the JSON pointer. */
export async function mapRefs(
  kind: Kind,
  spec: Fields,
  change: (ref: string, field: RefField, pointer: string) => Promise<string> | string,
): Promise<Record<string, unknown>> {
  const mapped: Record<string, unknown> = { ...spec }
  for (const field of refFields(kind)) {
    const value = holderOf(spec, field)[field.field]
    const pointer = field.within === undefined ? `/${field.field}` : `/${field.within}/${field.field}`
    let next: string | string[] | undefined
    if (typeof value === 'string') {
      if (field.words?.includes(value) !== true) next = await change(value, field, pointer)
    } else if (Array.isArray(value)) {
      const list: string[] = []
      for (const [index, ref] of value.entries())
        list.push(await change(String(ref), field, `${pointer}/${index}`))
      next = [...new Set(list)]
    }
    if (next === undefined) continue
    if (field.within === undefined) mapped[field.field] = next
    else mapped[field.within] = { ...(mapped[field.within] as Fields), [field.field]: next }
  }
  return mapped
}

/** The object that holds the reference. */
function holderOf(spec: Fields, { within }: RefField): Fields {
  if (within === undefined) return spec
  const inner = spec[within]
  return isPlain(inner) ? inner : {}
}

/**
 * Replaces references by ids. Refuses with input_invalid, naming every reference that leads nowhere.
 * @param held what the resource refers to already: that stays, also where the reader does not show it
 */
export async function resolveRefs(
  reader: ConfigReader,
  kind: Kind,
  spec: Fields,
  held: readonly Resource[],
): Promise<Record<string, unknown>> {
  const missing: FieldError[] = []
  const resolved = await mapRefs(kind, spec, async (ref, field, pointer) => {
    const found =
      held.find(({ type, id, slug }) => type === field.type && (id === ref || slug === ref)) ??
      (await findRef(reader, field.type, ref, pointer))
    if (found === undefined)
      missing.push({ pointer, reason: `there is no ${inWords(NOUNS[field.type])} "${ref}"` })
    return found?.id ?? ref
  })
  if (missing.length > 0)
    throw refuse('input_invalid', {
      detail: `${missing[0]!.pointer}: ${missing[0]!.reason}.`,
      errors: missing,
    })
  return resolved
}

/** The resources that stored specs of a resource refer to, and its parent. */
export async function heldBy(
  reader: ConfigReader,
  kind: Kind,
  { parent }: Pick<Resource, 'parent'>,
  specs: readonly Fields[],
): Promise<Resource[]> {
  const held = (await Promise.all(specs.map((spec) => referredTo(reader, kind, spec)))).flat()
  const above = kind.parent !== null && parent !== null && (await reader.byId(kind.parent.type, parent))
  return above ? [...held, above] : held
}

/** What a refusal calls another resource: it has its slug there only for who may name it. */
export async function calledBy(reader: ConfigReader, { type, id, slug }: Resource): Promise<string> {
  const noun = inWords(NOUNS[type])
  return (await reader.byId(type, id)) === undefined ? `another ${noun}` : `the ${noun} "${slug}"`
}

/** What a spec refers to, its parent among them, as it stands there: ids or slugs. */
export function refsIn(kind: Kind, spec: Fields): { readonly type: ResourceType; readonly ref: string }[] {
  return refFields(kind).flatMap((field) => idsAt(field, spec).map((ref) => ({ type: field.type, ref })))
}

/** Ids that a stored spec refers to, without its parent. */
export function idsOf(kind: Kind, spec: Fields): string[] {
  return kind.refs.flatMap((field) => idsAt(field, spec))
}

/** Ids in one member of a stored spec. */
export function idsAt(field: RefField, spec: Fields): string[] {
  const value = holderOf(spec, field)[field.field]
  if (Array.isArray(value)) return value.map(String)
  return typeof value === 'string' && field.words?.includes(value) !== true ? [value] : []
}

/** The resources themselves that a stored spec refers to, without its parent. */
export async function referredTo(reader: ConfigReader, kind: Kind, spec: Fields): Promise<Resource[]> {
  const asked = kind.refs.flatMap((field) => idsAt(field, spec).map((id) => reader.byId(field.type, id)))
  return (await Promise.all(asked)).filter((found) => found !== undefined)
}

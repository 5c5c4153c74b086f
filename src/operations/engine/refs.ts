import { isPlain, listedTexts } from '../../base/json/storable.ts'
import { type FieldError, Refusal, refuse, type Sought } from '../../base/refusal.ts'
import { inWords, NOUNS, PARENTS, type ResourceType } from '../../model/resource-types.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { KindSchema, RefField } from './kind-schema.ts'

/** What a resource belongs to. */
export async function aboveOf(
  reader: Pick<ConfigReader, 'byId'>,
  { type, parent }: Pick<Resource, 'type' | 'parent'>,
): Promise<Resource | undefined> {
  if (parent === null) return undefined
  for (const above of PARENTS[type]) {
    const found = await reader.byId(above, parent)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * The resource that an id, a slug or `parent:slug` names, or undefined. Refuses with input_invalid at `pointer`
 * when a bare slug fits several.
 */
export async function findRef<T extends ResourceType>(
  reader: ConfigReader,
  type: T,
  ref: string,
  pointer: string = '/id',
): Promise<Resource<T> | undefined> {
  const at = ref.indexOf(':')
  if (at < 0 && ref.includes('_')) return reader.byId(type, ref)
  const found = at < 0 ? await reader.bySlug(type, ref) : await findBelow(reader, type, ref, pointer)
  if (found.length > 1) {
    const candidates = await candidatesOf(reader, found)
    const reason = `"${ref}" names several ${type}: ${candidates.join(', ')}`
    throw refuse('input_invalid', {
      detail: `${reason}. Say which.`,
      errors: [{ pointer, reason }],
      members: { candidates },
    })
  }
  return found[0]
}

/** Resources below what the part before the colon names. */
async function findBelow<T extends ResourceType>(
  reader: ConfigReader,
  type: T,
  ref: string,
  pointer: string,
): Promise<Resource<T>[]> {
  const at = ref.indexOf(':')
  const [above, slug] = [ref.slice(0, at), ref.slice(at + 1)]
  const found: Resource<T>[] = []
  for (const parentType of PARENTS[type]) {
    const parent = await findRef(reader, parentType, above, pointer)
    if (parent === undefined) continue
    const named = slug.includes('_')
      ? [await reader.byId(type, slug)]
      : await reader.bySlug(type, slug, parent.id)
    found.push(...named.filter((one) => one?.parent === parent.id).map((one) => one!))
  }
  return found
}

/** Names of several resources that tell them apart: where their parents have the same slug, ids. */
async function candidatesOf(reader: ConfigReader, found: readonly Resource[]): Promise<string[]> {
  const parents = await reader.slugs(found.flatMap((one) => one.parent ?? []))
  const names = found.map(({ id, parent, slug }) => (parent === null ? id : `${parents.get(parent)}:${slug}`))
  return new Set(names).size === names.length ? names : found.map(({ id }) => id)
}

/** As {@link findRef}; refuses with not_found. */
export async function getRef<T extends ResourceType>(
  reader: ConfigReader,
  type: T,
  ref: string,
): Promise<Resource<T>> {
  const found = await findRef(reader, type, ref)
  if (found === undefined)
    throw refuse('not_found', {
      detail: `There is no ${inWords(NOUNS[type])} "${ref}".`,
      sought: [{ type, ref }],
    })
  return found
}

/**
 * Does work on a resource that the caller named and does not see. A refusal carries the name, so that the audit log
 * tells an attempt beyond the caller's scope from a mistake.
 */
export async function seeking<T>(one: Sought, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { sought = [] } = error.facts
    throw refuse(error.code, { ...error.facts, sought: [...sought, one] })
  }
}

const PARENT_FIELDS: ReadonlyMap<ResourceType, readonly RefField[]> = new Map(
  (Object.keys(NOUNS) as ResourceType[]).map((type) => [
    type,
    PARENTS[type].map((above) => ({ field: NOUNS[above], type: above })),
  ]),
)

/** The members of which one names what a resource of the kind belongs to; none where it belongs to nothing. They cannot change. */
export function parentFields({ type }: Pick<KindSchema, 'type'>): readonly RefField[] {
  return PARENT_FIELDS.get(type)!
}

/** The one of them that is set in a spec. */
export function parentField(kind: KindSchema, spec: Fields): RefField | undefined {
  return parentFields(kind).find(({ field }) => typeof spec[field] === 'string')
}

/** What a spec says that the resource belongs to; null for nothing. */
export function parentRef(kind: KindSchema, spec: Fields): string | null {
  const field = parentField(kind, spec)
  return field === undefined ? null : String(spec[field.field])
}

/** All references of a spec, the parent among them. */
function refFields(kind: KindSchema): readonly RefField[] {
  return [...parentFields(kind), ...kind.refs]
}

/** A copy of the spec with each reference replaced; `change` also gets the JSON pointer. */
export async function mapRefs(
  kind: KindSchema,
  spec: Fields,
  change: (ref: string, field: RefField, pointer: string) => Promise<string> | string,
): Promise<Record<string, unknown>> {
  let mapped: Record<string, unknown> = { ...spec }
  for (const field of refFields(kind)) mapped = await mapWithin(mapped, pathOf(field), field, '', change)
  return mapped
}

/** A copy of the holder in which the reference is replaced wherever the path leads. */
async function mapWithin(
  holder: Fields,
  [step, ...rest]: readonly string[],
  field: RefField,
  pointer: string,
  change: (ref: string, field: RefField, pointer: string) => Promise<string> | string,
): Promise<Record<string, unknown>> {
  if (step === undefined) return { ...holder, ...(await mapField(holder, field, pointer, change)) }
  const inner = holder[step]
  const at = `${pointer}/${step}`
  if (isPlain(inner)) return { ...holder, [step]: await mapWithin(inner, rest, field, at, change) }
  if (!Array.isArray(inner)) return { ...holder }
  const list: unknown[] = []
  for (const [index, item] of inner.entries())
    list.push(isPlain(item) ? await mapWithin(item, rest, field, `${at}/${index}`, change) : item)
  return { ...holder, [step]: list }
}

/** The one member of the holder with its references replaced; empty where it has none. */
async function mapField(
  holder: Fields,
  field: RefField,
  pointer: string,
  change: (ref: string, field: RefField, pointer: string) => Promise<string> | string,
): Promise<Fields> {
  const value = holder[field.field]
  const at = `${pointer}/${field.field}`
  if (typeof value === 'string')
    return field.words?.includes(value) === true ? {} : { [field.field]: await change(value, field, at) }
  if (!Array.isArray(value)) return {}
  // What is no text is no reference: drafts of workflows may hold anything
  const list: unknown[] = []
  for (const [index, ref] of value.entries())
    list.push(typeof ref === 'string' ? await change(ref, field, `${at}/${index}`) : ref)
  return { [field.field]: [...new Set(list)] }
}

/** The objects that hold the reference. */
function holdersOf(spec: Fields, field: RefField): readonly Fields[] {
  return pathOf(field).reduce<readonly Fields[]>(
    (holders, step) =>
      holders.flatMap((holder) => {
        const inner = holder[step]
        return Array.isArray(inner) ? inner.filter(isPlain) : isPlain(inner) ? [inner] : []
      }),
    [spec],
  )
}

/** The names that lead from the spec to what holds the reference. */
function pathOf({ within = [] }: RefField): readonly string[] {
  return typeof within === 'string' ? [within] : within
}

/**
 * Replaces references by ids. Refuses with input_invalid, naming every reference that leads nowhere.
 * @param referred what the resource refers to already: that stays, also where the reader does not show it
 */
export async function resolveRefs(
  reader: ConfigReader,
  kind: KindSchema,
  spec: Fields,
  referred: readonly Resource[],
): Promise<Record<string, unknown>> {
  const missing: FieldError[] = []
  const sought: Sought[] = []
  const resolved = await mapRefs(kind, spec, async (ref, field, pointer) => {
    const found =
      referred.find(({ type, id, slug }) => type === field.type && (id === ref || slug === ref)) ??
      (await findRef(reader, field.type, ref, pointer))
    if (found === undefined) {
      // No id or slug has a comma: a list was given as one text
      const hint = ref.includes(',') ? '; give each one as a value of its own' : ''
      missing.push({ pointer, reason: `there is no ${inWords(NOUNS[field.type])} "${ref}"${hint}` })
      sought.push({ type: field.type, ref })
    }
    return found?.id ?? ref
  })
  if (missing.length > 0)
    throw refuse('input_invalid', {
      detail: `${missing[0]!.pointer}: ${missing[0]!.reason}.`,
      errors: missing,
      sought,
    })
  return resolved
}

/** The resources that stored specs of a resource refer to, and its parent. */
export async function referredBy(
  reader: ConfigReader,
  kind: KindSchema,
  { parent }: Pick<Resource, 'parent'>,
  specs: readonly Fields[],
): Promise<Resource[]> {
  const referred = (await Promise.all(specs.map((spec) => referredTo(reader, kind, spec)))).flat()
  const above = await aboveOf(reader, { type: kind.type, parent })
  return above === undefined ? referred : [...referred, above]
}

/** What a refusal calls another resource: it has its slug there only for who may name it. */
export async function calledBy(reader: ConfigReader, { type, id, slug }: Resource): Promise<string> {
  const noun = inWords(NOUNS[type])
  return (await reader.byId(type, id)) === undefined ? `another ${noun}` : `the ${noun} "${slug}"`
}

/** What a spec refers to, its parent among them, as it stands there: ids or slugs. */
export function refsIn(
  kind: KindSchema,
  spec: Fields,
): { readonly type: ResourceType; readonly ref: string; readonly isLate: boolean }[] {
  return refFields(kind).flatMap((field) =>
    idsAt(field, spec).map((ref) => ({ type: field.type, ref, isLate: field.isLate === true })),
  )
}

/** Ids that a stored spec refers to, without its parent. */
export function idsOf(kind: KindSchema, spec: Fields): string[] {
  return kind.refs.flatMap((field) => idsAt(field, spec))
}

/** Ids in one member of a stored spec. */
export function idsAt(field: RefField, spec: Fields): string[] {
  return holdersOf(spec, field).flatMap((holder) => {
    const value = holder[field.field]
    if (Array.isArray(value)) return listedTexts(value)
    return typeof value === 'string' && field.words?.includes(value) !== true ? [value] : []
  })
}

/** The resources themselves that a stored spec refers to, without its parent. */
export async function referredTo(reader: ConfigReader, kind: KindSchema, spec: Fields): Promise<Resource[]> {
  const asked = kind.refs.flatMap((field) => idsAt(field, spec).map((id) => reader.byId(field.type, id)))
  return (await Promise.all(asked)).filter((found) => found !== undefined)
}

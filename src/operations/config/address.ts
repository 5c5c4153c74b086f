import { isPlain } from '../../base/json/storable.ts'
import { NOUNS, PARENTS, type ResourceType } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { Kind } from '../engine/kind.ts'
import { parentField } from '../engine/refs.ts'
import { ALL_KINDS, kindOf } from '../kinds.ts'

/** The word of a document for what it describes, such as `proxy`. */
export const KIND_WORDS: readonly string[] = ALL_KINDS.map(({ noun }) => noun)

const BY_WORD: ReadonlyMap<string, Kind> = new Map(
  ALL_KINDS.flatMap((kind) => [
    [kind.noun, kind],
    [kind.type, kind],
  ]),
)

/** The kind that `proxy` or `proxies` is. */
export function kindCalled(word: string): Kind | undefined {
  return BY_WORD.get(word)
}

/** How documents, plans and answers name what belongs to nothing: `collection/orders`. */
export function addressOf(type: ResourceType, slug: string): string {
  return `${NOUNS[type]}/${slug}`
}

/** How they name what a spec is of: below another resource `proxy/orders:get-order`, and `grant/user/ada:deploy`. */
export function addressBy(kind: Kind, spec: Fields, slug: string): string {
  const field = parentField(kind, spec)
  return field === undefined
    ? addressOf(kind.type, slug)
    : addressBelow(kind, field.type, String(spec[field.field]), slug)
}

function addressBelow(kind: Kind, above: ResourceType, parent: string, slug: string): string {
  // Slugs are told apart within a type alone
  const place = above === PARENTS[kind.type][0] ? '' : `${NOUNS[above]}/`
  return `${kind.noun}/${place}${parent}:${slug}`
}

/** The address of a stored resource. */
export function addressIn(slugs: ReadonlyMap<string, string>, { type, parent, slug }: Resource): string {
  const above = parent === null ? undefined : kindOfId(parent)
  if (parent === null || above === undefined) return addressOf(type, slug)
  return addressBelow(kindOf(type), above.type, slugs.get(parent) ?? parent, slug)
}

/** The kind of what has the id. */
export function kindOfId(id: string): Kind | undefined {
  return ALL_KINDS.find(({ prefix }) => id.startsWith(`${prefix}_`))
}

/**
 * A copy of the spec of a profile with its endpoint ids replaced, which are no references that the kind knows of: by
 * addresses for documents (`proxy/orders:get-order`), and back. Specs of other kinds stay.
 */
export function mapEndpoints(kind: Kind, spec: Fields, change: (entry: string) => string): Fields {
  const endpoints = spec['endpoints']
  if (kind.type !== 'profiles' || !isPlain(endpoints)) return spec
  const mapped = Object.entries(endpoints).map(([list, entries]) => [
    list,
    Array.isArray(entries) ? entries.map((entry) => change(String(entry))) : entries,
  ])
  return { ...spec, endpoints: Object.fromEntries(mapped) }
}
